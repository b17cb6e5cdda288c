// An agent that asks a model and calls a tool, instrumented with OpenTelemetry's SDK.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"os"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

const model = "gpt-4o"

var tracer = otel.Tracer("weather-agent")

type toolCall struct {
	ID       string `json:"id"`
	Type     string `json:"type"`
	Function struct {
		Name      string `json:"name"`
		Arguments string `json:"arguments"`
	} `json:"function"`
}

type message struct {
	Role       string     `json:"role"`
	Content    *string    `json:"content"`
	ToolCalls  []toolCall `json:"tool_calls,omitempty"`
	ToolCallID string     `json:"tool_call_id,omitempty"`
}

type answer struct {
	ID      string `json:"id"`
	Model   string `json:"model"`
	Choices []struct {
		Message      message `json:"message"`
		FinishReason string  `json:"finish_reason"`
	} `json:"choices"`
	Usage struct {
		Input   int `json:"prompt_tokens"`
		Output  int `json:"completion_tokens"`
		Details struct {
			Cached int `json:"cached_tokens"`
		} `json:"prompt_tokens_details"`
	} `json:"usage"`
}

var tools = json.RawMessage(`[{"type": "function", "function": {"name": "get_weather", "description": "The weather of a city",
	"parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}}]`)

func getWeather(arguments string) (string, error) {
	var input struct{ City string }
	if err := json.Unmarshal([]byte(arguments), &input); err != nil {
		return "", err
	}
	return "sunny in " + input.City, nil
}

// spanned runs the work in a span that ends with it, and says when it failed.
func spanned[T any](ctx context.Context, name string, kind trace.SpanKind, attributes []attribute.KeyValue,
	work func(context.Context, trace.Span) (T, error)) (T, error) {
	ctx, span := tracer.Start(ctx, name, trace.WithSpanKind(kind), trace.WithAttributes(attributes...))
	defer span.End()
	result, err := work(ctx, span)
	if err != nil {
		span.RecordError(err)
		span.SetStatus(codes.Error, err.Error())
	}
	return result, err
}

func chat(ctx context.Context, messages []message) (message, error) {
	attributes := []attribute.KeyValue{
		attribute.String("gen_ai.operation.name", "chat"),
		attribute.String("gen_ai.provider.name", "openai"),
		attribute.String("gen_ai.request.model", model),
		attribute.String("gen_ai.input.messages", said(messages...)),
	}
	return spanned(ctx, "chat "+model, trace.SpanKindClient, attributes,
		func(ctx context.Context, span trace.Span) (message, error) {
			found, err := ask(ctx, messages)
			if err != nil {
				return message{}, err
			}
			choice := found.Choices[0]
			span.SetAttributes(
				attribute.String("gen_ai.response.id", found.ID),
				attribute.String("gen_ai.response.model", found.Model),
				attribute.StringSlice("gen_ai.response.finish_reasons", []string{choice.FinishReason}),
				attribute.Int("gen_ai.usage.input_tokens", found.Usage.Input),
				attribute.Int("gen_ai.usage.output_tokens", found.Usage.Output),
				attribute.Int("gen_ai.usage.cache_read.input_tokens", found.Usage.Details.Cached),
				attribute.String("gen_ai.output.messages", said(choice.Message)),
			)
			return choice.Message, nil
		})
}

func ask(ctx context.Context, messages []message) (answer, error) {
	var found answer
	body, err := json.Marshal(map[string]any{"model": model, "messages": messages, "tools": tools})
	if err != nil {
		return found, err
	}
	url := os.Getenv("OPENAI_BASE_URL") + "/chat/completions"
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return found, err
	}
	request.Header.Set("content-type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return found, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return found, fmt.Errorf("the model answered %d", response.StatusCode)
	}
	if err := json.NewDecoder(response.Body).Decode(&found); err != nil {
		return found, err
	}
	if len(found.Choices) == 0 {
		return found, fmt.Errorf("the model gave no answer")
	}
	return found, nil
}

// said is OpenAI's messages in OpenTelemetry's form.
func said(messages ...message) string {
	list := []map[string]any{}
	for _, one := range messages {
		parts := []map[string]any{}
		switch {
		case one.Role == "tool":
			parts = append(parts, map[string]any{"type": "tool_call_response", "id": one.ToolCallID, "response": one.Content})
		case one.Content != nil && *one.Content != "":
			parts = append(parts, map[string]any{"type": "text", "content": one.Content})
		}
		for _, call := range one.ToolCalls {
			parts = append(parts, map[string]any{"type": "tool_call", "id": call.ID, "name": call.Function.Name,
				"arguments": json.RawMessage(call.Function.Arguments)})
		}
		list = append(list, map[string]any{"role": one.Role, "parts": parts})
	}
	text, err := json.Marshal(list)
	if err != nil {
		return ""
	}
	return string(text)
}

func execute(ctx context.Context, call toolCall) (string, error) {
	name := call.Function.Name
	attributes := []attribute.KeyValue{
		attribute.String("gen_ai.operation.name", "execute_tool"),
		attribute.String("gen_ai.tool.name", name),
		attribute.String("gen_ai.tool.call.id", call.ID),
		attribute.String("gen_ai.tool.call.arguments", call.Function.Arguments),
	}
	return spanned(ctx, "execute_tool "+name, trace.SpanKindInternal, attributes,
		func(_ context.Context, span trace.Span) (string, error) {
			if name != "get_weather" {
				return "", fmt.Errorf("no tool is called %s", name)
			}
			result, err := getWeather(call.Function.Arguments)
			span.SetAttributes(attribute.String("gen_ai.tool.call.result", result))
			return result, err
		})
}

func run(ctx context.Context, question string) (string, error) {
	attributes := []attribute.KeyValue{
		attribute.String("gen_ai.operation.name", "invoke_agent"),
		attribute.String("gen_ai.agent.name", "weather"),
		attribute.String("gen_ai.conversation.id", "talk-1"),
	}
	return spanned(ctx, "invoke_agent weather", trace.SpanKindInternal, attributes,
		func(ctx context.Context, _ trace.Span) (string, error) {
			messages := []message{{Role: "user", Content: &question}}
			for {
				answer, err := chat(ctx, messages)
				if err != nil {
					return "", err
				}
				messages = append(messages, answer)
				if len(answer.ToolCalls) == 0 {
					return *answer.Content, nil
				}
				for _, call := range answer.ToolCalls {
					result, err := execute(ctx, call)
					if err != nil {
						return "", err
					}
					messages = append(messages, message{Role: "tool", ToolCallID: call.ID, Content: &result})
				}
			}
		})
}

func main() {
	ctx := context.Background()
	exporter, err := otlptracehttp.New(ctx) // OTEL_EXPORTER_OTLP_ENDPOINT says where to.
	if err != nil {
		log.Fatal(err)
	}
	provider := sdk.NewTracerProvider(sdk.WithBatcher(exporter)) // OTEL_SERVICE_NAME names the service.
	otel.SetTracerProvider(provider)
	answered, err := run(ctx, "How is the weather in Paris?")
	if stopped := provider.Shutdown(ctx); stopped != nil {
		log.Print(stopped)
	}
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(answered)
}

// Asks everything of a server that Prometheus' own Go client can ask, and prints the answers as one JSON object.
package main

import (
	"context"
	"encoding/json"
	"log"
	"os"
	"time"

	"github.com/prometheus/client_golang/api"
	"github.com/prometheus/client_golang/api/prometheus/v1"
)

func main() {
	address, query, metric := os.Args[1], os.Args[2], os.Args[3]
	client, err := api.NewClient(api.Config{Address: address})
	if err != nil {
		log.Fatal(err)
	}
	server, ctx := v1.NewAPI(client), context.Background()
	now := time.Now()
	hour := v1.Range{Start: now.Add(-time.Hour), End: now, Step: time.Minute}
	answers := map[string]any{}
	put := func(name string, answer any, err error) {
		if err != nil {
			log.Fatalf("%s: %v", name, err)
		}
		answers[name] = answer
	}
	instant, _, err := server.Query(ctx, query, now)
	put("query", instant, err)
	matrix, _, err := server.QueryRange(ctx, query, hour)
	put("query_range", matrix, err)
	series, _, err := server.Series(ctx, []string{metric}, hour.Start, hour.End)
	put("series", series, err)
	names, _, err := server.LabelNames(ctx, []string{metric}, hour.Start, hour.End)
	put("labels", names, err)
	values, _, err := server.LabelValues(ctx, "__name__", nil, hour.Start, hour.End)
	put("names", values, err)
	metadata, err := server.Metadata(ctx, metric, "")
	put("metadata", metadata, err)
	exemplars, err := server.QueryExemplars(ctx, metric, hour.Start, hour.End)
	put("exemplars", exemplars, err)
	build, err := server.Buildinfo(ctx)
	put("build", build, err)
	runtime, err := server.Runtimeinfo(ctx)
	put("runtime", runtime, err)
	flags, err := server.Flags(ctx)
	put("flags", flags, err)
	configuration, err := server.Config(ctx)
	put("config", configuration, err)
	rules, err := server.Rules(ctx)
	put("rules", rules, err)
	alerts, err := server.Alerts(ctx)
	put("alerts", alerts, err)
	_, _, err = server.Query(ctx, "rate(", now)
	put("error", err.Error(), nil)
	if err := json.NewEncoder(os.Stdout).Encode(answers); err != nil {
		log.Fatal(err)
	}
}

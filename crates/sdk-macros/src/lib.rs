//! Attribute macros of `clew-sdk`: a function that is an agent, a tool or a call of a model, recorded as such.
//! They are documented where `clew-sdk` re-exports them.

use proc_macro::TokenStream;
use proc_macro2::TokenStream as Tokens;
use quote::{format_ident, quote};
use syn::parse::Parser;
use syn::punctuated::Punctuated;
use syn::{Expr, ExprLit, ItemFn, Lit, LitStr, Meta, MetaNameValue, ReturnType, Token, Type};

/// A function that runs an agent: `#[agent]`, `#[agent(name = "planner")]`.
#[proc_macro_attribute]
pub fn agent(arguments: TokenStream, function: TokenStream) -> TokenStream {
    named(arguments, function, |name| quote!(::clew_sdk::agent(#name).start()))
}

/// A function that is a tool: `#[tool]`, `#[tool(name = "get_weather")]`.
#[proc_macro_attribute]
pub fn tool(arguments: TokenStream, function: TokenStream) -> TokenStream {
    named(arguments, function, |name| quote!(::clew_sdk::tool(#name).start()))
}

/// A function that calls a model: `#[model_call(provider = "openai", model = "gpt-4o")]`. Within it, the call is at hand as
/// `call`.
#[proc_macro_attribute]
pub fn model_call(arguments: TokenStream, function: TokenStream) -> TokenStream {
    expanded(arguments, function, |settings, _| {
        let (provider, model) = (settings.of("provider")?, settings.of("model")?);
        Ok(quote!(::clew_sdk::model_call(#provider, #model).start()))
    })
}

fn named(arguments: TokenStream, function: TokenStream, start: impl Fn(&LitStr) -> Tokens) -> TokenStream {
    expanded(arguments, function, |settings, function| {
        let own = LitStr::new(&function.sig.ident.to_string(), function.sig.ident.span());
        let name = settings.of("name").unwrap_or(own);
        Ok(start(&name))
    })
}

/// What stands between the macro's brackets: `name = "text"`, separated by commas.
struct Settings(Vec<(String, LitStr)>);

impl Settings {
    fn parsed(arguments: TokenStream, known: &[&str]) -> syn::Result<Self> {
        let metas = Punctuated::<Meta, Token![,]>::parse_terminated.parse(arguments)?;
        let settings = metas.into_iter().map(|meta| {
            let wrong =
                syn::Error::new_spanned(&meta, format!("expected one of {known:?}, as `name = \"text\"`"));
            let Meta::NameValue(MetaNameValue { path, value, .. }) = meta else { return Err(wrong) };
            let Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) = value else { return Err(wrong) };
            let name = path.get_ident().map(ToString::to_string).unwrap_or_default();
            if known.contains(&name.as_str()) { Ok((name, text)) } else { Err(wrong) }
        });
        settings.collect::<syn::Result<_>>().map(Self)
    }

    fn of(&self, name: &str) -> syn::Result<LitStr> {
        let found = self.0.iter().find(|(had, _)| had == name).map(|(_, text)| text.clone());
        let place = proc_macro2::Span::call_site();
        found.ok_or_else(|| syn::Error::new(place, format!("`{name} = \"…\"` is missing")))
    }
}

fn expanded(
    arguments: TokenStream,
    function: TokenStream,
    start: impl Fn(&Settings, &ItemFn) -> syn::Result<Tokens>,
) -> TokenStream {
    let written = syn::parse::<ItemFn>(function).and_then(|function| {
        let settings = Settings::parsed(arguments, &["name", "provider", "model"])?;
        let start = start(&settings, &function)?;
        Ok(recorded(&function, &start))
    });
    written.unwrap_or_else(syn::Error::into_compile_error).into()
}

/// The function with its body within a span; what it returns as an error is why the span failed.
fn recorded(function: &ItemFn, start: &Tokens) -> Tokens {
    let ItemFn { attrs, vis, sig, block } = function;
    // The body sees it: it belongs to the place where the macro stands.
    let call = format_ident!("call");
    // And this one it does not see.
    let active = format_ident!("active", span = proc_macro2::Span::mixed_site());
    let (failed, output) = match &sig.output {
        ReturnType::Type(_, output) if is_result(output) => {
            (quote!(if let Err(error) = &result { #call.fail_said(error); }), quote!(#output))
        }
        ReturnType::Type(_, output) if matches!(**output, Type::ImplTrait(_)) => (Tokens::new(), quote!(_)),
        ReturnType::Type(_, output) => (Tokens::new(), quote!(#output)),
        ReturnType::Default => (Tokens::new(), quote!(())),
    };
    let body = if sig.asyncness.is_some() {
        quote! {
            let body = {
                let #call = #call.clone();
                ::clew_sdk::typed::<#output, _>(async move {
                    let _ = &#call;
                    #block
                })
            };
            let result = #call.within(body).await;
        }
    } else {
        quote! {
            let result = {
                let #active = #call.enter();
                let #call = &#call;
                #[allow(clippy::redundant_closure_call, reason = "`return` ends the body, not the function around it")]
                let result = (|| -> #output { let _ = #call; #block })();
                drop(#active);
                result
            };
        }
    };
    quote! {
        #(#attrs)* #vis #sig {
            let #call = #start;
            #body
            #failed
            #call.end();
            result
        }
    }
}

fn is_result(output: &Type) -> bool {
    let Type::Path(path) = output else { return false };
    path.path.segments.last().is_some_and(|last| last.ident == "Result")
}

//! Functions that are recorded by an attribute.

use crate::alone;
use crate::receiver::{Receiver, spans, text};
use std::num::ParseIntError;

struct Weather {
    degrees: &'static str,
}

impl Weather {
    #[clew_sdk::tool(name = "get_weather")]
    async fn of(&self, city: &str) -> Result<String, ParseIntError> {
        if city.is_empty() {
            return Ok(String::new());
        }
        tokio::task::yield_now().await;
        let degrees: i32 = self.degrees.parse()?;
        Ok(format!("{degrees} in {city}"))
    }
}

#[clew_sdk::model_call(provider = "openai", model = "gpt-4o")]
fn ask(question: &str) -> usize {
    call.usage(3, 4);
    question.len()
}

#[clew_sdk::agent]
async fn planner() -> usize {
    let good = Weather { degrees: "21" };
    assert_eq!(good.of("Paris").await.as_deref(), Ok("21 in Paris"));
    assert!(Weather { degrees: "warm" }.of("Paris").await.is_err());
    ask("why?")
}

#[tokio::test]
#[expect(clippy::await_holding_lock, reason = "one test at a time has the process's telemetry")]
async fn functions_are_recorded() {
    let _alone = alone();
    let receiver = Receiver::start();
    let telemetry = clew_sdk::builder().service("macros").endpoint(receiver.endpoint()).build().unwrap();
    assert_eq!(planner().await, 4);
    drop(telemetry);
    let spans = spans(&receiver.got());
    let agent = spans.iter().find(|span| span.name == "invoke_agent planner").unwrap();
    let below: Vec<_> = spans.iter().filter(|span| span.parent_span_id == agent.span_id).collect();
    let mut names: Vec<_> = below.iter().map(|span| span.name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["chat gpt-4o", "execute_tool get_weather", "execute_tool get_weather"]);
    let failed: Vec<_> = below.iter().filter_map(|span| text(&span.attributes, "error.type")).collect();
    assert_eq!(failed, ["ParseIntError"]);
}

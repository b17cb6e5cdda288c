//! What belongs together: the sessions of agents, and the turns of these, each a prompt and what it led to.

use super::span::{self, Place};
use super::{Event, Helper, Said};
use model::value::{Resource, Scope, Shared};
use model::{LogRecord, Span, SpanId, TenantId, Timestamp, TraceId};
use std::collections::{HashMap, HashSet};

/// Sessions that are remembered; of more, those that were silent for the longest are forgotten.
const MOST_SESSIONS: usize = 4_096;
/// Bytes of prompts and answers that are remembered, for the span of a turn is written again whenever it grows.
const MOST_BYTES: usize = 64 << 20;
/// Turns of a session that may still grow, and helpers of a turn.
const MOST_TURNS: usize = 8;
const MOST_HELPERS: usize = 256;
/// Questions to models that are remembered of a turn.
const MOST_ASKED: usize = 1_024;

type Key = (TenantId, &'static str, String);

#[derive(Default)]
pub struct Sessions {
    sessions: HashMap<Key, Session>,
    bytes: usize,
}

#[derive(Default)]
struct Session {
    turns: Vec<Turn>,
    /// It sends spans by itself.
    sends_spans: bool,
    last: Timestamp,
}

/// A prompt and what it led to.
pub struct Turn {
    pub trace: TraceId,
    /// As the agent names it.
    id: Option<String>,
    pub start: Timestamp,
    pub end: Timestamp,
    pub prompt: Option<String>,
    pub answer: Option<String>,
    pub user: Option<String>,
    pub helpers: Vec<(Helper, Timestamp, Timestamp)>,
    /// When models were asked, for agents that tell of question and answer apart; the last ones, in order.
    asked: Vec<(Timestamp, Timestamp)>,
    /// Whether the last call of a model failed.
    pub failed: bool,
    /// Whether anything but the prompt is known: before, it may yet turn out that the agent sends spans by itself.
    worked: bool,
    pub resource: Shared<Resource>,
    pub scope: Shared<Scope>,
}

impl Sessions {
    /// The spans that these records tell of, and those of the turns that grew by them.
    pub fn take(&mut self, tenant: &TenantId, records: Vec<LogRecord>) -> Vec<Span> {
        let mut events: Vec<(Event, LogRecord)> =
            records.into_iter().filter_map(|record| Some((super::read(&record)?, record))).collect();
        events.sort_by_key(|(event, _)| event.time);
        let mut grown: HashSet<(Key, TraceId)> = HashSet::new();
        let mut spans: Vec<(Key, Span)> = Vec::new();
        for (event, record) in events {
            let key = (tenant.clone(), event.agent, event.session.clone());
            let session = self.sessions.entry(key.clone()).or_default();
            session.last = session.last.max(event.time);
            session.sends_spans |= record.trace_id.is_some();
            let before = session.bytes();
            if let Some((trace, span)) = session.add(&key, event, &record) {
                grown.insert((key.clone(), trace));
                spans.extend(span.map(|span| (key.clone(), span)));
            }
            let after = self.sessions.get(&key).map_or(0, Session::bytes);
            self.bytes = (self.bytes + after).saturating_sub(before);
        }
        let sends_none = |key: &Key| self.sessions.get(key).is_some_and(|session| !session.sends_spans);
        spans.retain(|(key, _)| sends_none(key));
        let mut spans: Vec<Span> = spans.into_iter().map(|(_, span)| span).collect();
        for (key, trace) in grown {
            let turns = self.sessions.get(&key).map_or(&[][..], |session| session.turns.as_slice());
            let turn = turns.iter().find(|turn| turn.trace == trace && turn.worked);
            spans.extend(turn.into_iter().flat_map(|turn| span::of_turn(turn, (key.1, &key.2))));
        }
        self.forget();
        spans
    }

    #[cfg(test)]
    pub fn remembered(&self) -> usize {
        self.sessions.len()
    }

    /// Forgets those that were silent for the longest, a quarter at a time, so that it is seldom done.
    fn forget(&mut self) {
        if self.sessions.len() <= MOST_SESSIONS && self.bytes <= MOST_BYTES {
            return;
        }
        let mut all: Vec<(Key, Session)> = self.sessions.drain().collect();
        all.sort_unstable_by_key(|(_, session)| std::cmp::Reverse(session.last));
        all.truncate(MOST_SESSIONS * 3 / 4);
        self.bytes = 0;
        for (key, session) in all {
            self.bytes += session.bytes();
            if self.bytes > MOST_BYTES * 3 / 4 {
                self.bytes -= session.bytes();
                break;
            }
            self.sessions.insert(key, session);
        }
    }
}

impl Session {
    fn bytes(&self) -> usize {
        let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        self.turns.iter().map(|turn| text(&turn.prompt) + text(&turn.answer)).sum()
    }

    /// Adds an event to its turn; the trace of that, and the span that the event is.
    fn add(&mut self, key: &Key, event: Event, record: &LogRecord) -> Option<(TraceId, Option<Span>)> {
        if self.sends_spans {
            self.turns.clear();
            return None;
        }
        let is_prompt = matches!(event.said, Said::Prompt(_));
        // What happens before the first prompt is no run.
        if matches!(event.said, Said::Other) && event.helper.is_none() {
            return None;
        }
        let turn = self.turn(key, &event, is_prompt, record)?;
        turn.user = turn.user.take().or_else(|| span::user(record));
        Some((turn.trace, turn.add(event, &key.2)))
    }

    /// The turn that an event belongs to; a new one where there is none.
    fn turn(&mut self, key: &Key, event: &Event, is_prompt: bool, record: &LogRecord) -> Option<&mut Turn> {
        let begun = Timestamp(event.time.0.saturating_sub(event.duration));
        let known = match &event.turn {
            Some(id) => self.turns.iter().position(|turn| turn.id.as_ref() == Some(id)),
            None if is_prompt => self.turns.iter().position(|turn| turn.start == event.time),
            None => self.turns.iter().rposition(|turn| turn.start <= event.time),
        };
        let place = known.unwrap_or_else(|| {
            let trace = span::trace_id(key, event.turn.as_deref(), begun);
            let turn = Turn {
                trace,
                id: event.turn.clone(),
                start: begun,
                end: event.time,
                prompt: None,
                answer: None,
                user: None,
                helpers: Vec::new(),
                asked: Vec::new(),
                failed: false,
                worked: false,
                resource: Shared::clone(&record.resource),
                scope: Shared::clone(&record.scope),
            };
            let place = self.turns.partition_point(|known| known.start <= begun);
            self.turns.insert(place, turn);
            if self.turns.len() > MOST_TURNS {
                self.turns.remove(0);
                return place.saturating_sub(1);
            }
            place
        });
        self.turns.get_mut(place)
    }
}

impl Turn {
    fn add(&mut self, event: Event, session: &str) -> Option<Span> {
        let Event { time, duration, sequence, helper, said, .. } = event;
        let mut begun = Timestamp(time.0.saturating_sub(duration));
        match &said {
            Said::Prompt(_) => {}
            Said::Asked => self.ask(begun, time),
            Said::Call(call) => {
                let asked = self.asked.partition_point(|(_, told)| *told <= time).checked_sub(1);
                let asked = asked.and_then(|place| self.asked.get(place)).filter(|_| duration == 0);
                begun = asked.map_or(begun, |(asked, _)| *asked);
                if time >= self.end {
                    self.failed = call.failure.is_some();
                }
            }
            _ => {}
        }
        self.worked |= !matches!(said, Said::Prompt(_) | Said::Asked | Said::Other);
        self.start = self.start.min(begun);
        self.end = self.end.max(time);
        let parent = match helper {
            Some(helper) => self.helper(helper, begun, time),
            None => span::root_id(self.trace),
        };
        let place = Place { turn: self, parent, session, start: begun, end: time, sequence };
        match said {
            Said::Call(call) => Some(span::of_call(&place, call)),
            Said::Tool(tool) => Some(span::of_tool(&place, tool)),
            Said::Decision(decision) => Some(span::of_decision(&place, decision)),
            Said::Prompt(prompt) => {
                self.prompt = prompt.or_else(|| self.prompt.take());
                None
            }
            Said::Answer(answer) => {
                if parent == span::root_id(self.trace) {
                    self.answer = Some(answer);
                }
                None
            }
            Said::Asked | Said::Other => None,
        }
    }

    /// Remembers that a model was asked, and when that was told.
    fn ask(&mut self, begun: Timestamp, told: Timestamp) {
        let place = self.asked.partition_point(|(_, known)| *known < told);
        if self.asked.get(place).is_none_or(|(_, known)| *known != told) {
            self.asked.insert(place, (begun, told));
        }
        if self.asked.len() > MOST_ASKED {
            self.asked.remove(0);
        }
    }

    /// Lets a helper work until then; its span.
    fn helper(&mut self, helper: Helper, begun: Timestamp, time: Timestamp) -> SpanId {
        let id = span::helper_id(self.trace, &helper.id);
        if let Some((known, start, end)) = self.helpers.iter_mut().find(|(known, ..)| known.id == helper.id) {
            known.name = helper.name.or_else(|| known.name.take());
            known.parent = helper.parent.or_else(|| known.parent.take());
            (*start, *end) = ((*start).min(begun), (*end).max(time));
        } else if self.helpers.len() < MOST_HELPERS {
            self.helpers.push((helper, begun, time));
        } else {
            return span::root_id(self.trace);
        }
        id
    }
}

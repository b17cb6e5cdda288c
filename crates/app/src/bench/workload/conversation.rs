//! Conversations that go on over many traces. Those that are recorded keep what was said, and send all of it again
//! with every model call, as agents do.

use super::cast::{Cast, ROLES, TOOLS, pick, skewed};
use crate::demo::Random;
use std::fmt::Write;

/// So many go on at the same time.
const OPEN: usize = 96;
/// A conversation that is longer than this is summed up, as agents do when a context is full.
const LONGEST: usize = 12_000;
const USERS: usize = 50_000;

const WORDS: &str = "the of and to a in for is on that with was as it by at from order customer refund please check \
     policy document agent result shipment price delivery question answer tool report summary stock invoice account \
     address courier warehouse replacement contract clause deadline budget forecast quarter revenue margin meeting \
     flight hotel booking passenger transfer confirmation number reference page section table figure paragraph source \
     evidence claim study trial patient dosage function module test failure exception branch commit review deploy \
     latency memory request response token schema column index query update delete insert value field missing found \
     available unavailable approved rejected pending completed cancelled urgent however therefore because before after \
     between within without against should could would cannot must may than more less most every several another \
     earlier later already still again once first second third finally next previous current possible likely unlikely \
     recommend suggest compare explain describe calculate verify notify escalate schedule reschedule translate convert";

/// Who talks with which agent.
#[derive(Debug, Clone)]
pub struct Conversation {
    pub id: String,
    pub session: String,
    pub user: String,
    pub application: usize,
    pub agent: String,
    recorded: Option<Recorded>,
}

/// What was said.
#[derive(Debug, Clone)]
struct Recorded {
    instructions: String,
    tools: String,
    messages: Vec<String>,
}

/// What a recorded model call says.
#[derive(Debug, Clone, PartialEq)]
pub struct Said {
    pub instructions: String,
    pub tools: String,
    pub input: String,
    pub output: String,
}

/// The conversations that go on.
#[derive(Debug)]
pub struct Conversations {
    open: Vec<Conversation>,
    content: f64,
    /// Grows by `content` with each new conversation; a whole one is recorded. Small loads have their share too.
    credit: f64,
}

impl Conversations {
    pub fn new(content: f64, random: &mut Random, ids: &mut Random) -> Self {
        // Streams begin at different places, or those of a small load would all record none.
        #[expect(clippy::cast_precision_loss, reason = "a thousand is exact")]
        let credit = random.between(0, 1_000) as f64 / 1e3;
        let mut conversations = Self { open: Vec::new(), content, credit };
        for _ in 0..OPEN {
            let begun = conversations.begin(random, ids);
            conversations.open.push(begun);
        }
        conversations
    }

    /// The conversation that the next trace belongs to. Some end and make room for new ones.
    pub fn pick(&mut self, random: &mut Random, ids: &mut Random) -> &mut Conversation {
        let place = usize::try_from(random.between(0, OPEN as u64)).unwrap_or(0);
        if random.between(0, 6) == 0 {
            self.open[place] = self.begin(random, ids);
        }
        &mut self.open[place]
    }

    fn begin(&mut self, random: &mut Random, ids: &mut Random) -> Conversation {
        self.credit += self.content;
        let is_recorded = self.credit >= 1.0;
        if is_recorded {
            self.credit -= 1.0;
        }
        let application = Cast::application(random);
        let agent = format!("{}-{}", Cast::name(application), pick(random, &ROLES));
        Conversation {
            id: format!("conv_{:016x}{:08x}", ids.next(), ids.next() >> 32),
            session: format!("{:016x}{:016x}", ids.next(), ids.next()),
            user: format!("user-{:05}", skewed(random, USERS)),
            recorded: is_recorded.then(|| Recorded::of(&agent)),
            application,
            agent,
        }
    }
}

impl Conversation {
    pub const fn is_recorded(&self) -> bool {
        self.recorded.is_some()
    }

    /// A model call, when this is recorded: all that was said before, what is asked now, and the answer.
    pub fn say(&mut self, role: &str, random: &mut Random) -> Option<Said> {
        let recorded = self.recorded.as_mut()?;
        let words = random.between(30, 130);
        recorded.messages.push(message(role, &sentences(random, words)));
        recorded.sum_up(random);
        let input = format!("[{}]", recorded.messages.join(","));
        let words = random.between(60, 220);
        let answer = message("assistant", &sentences(random, words));
        let output = format!("[{answer}]");
        recorded.messages.push(answer);
        let (instructions, tools) = (recorded.instructions.clone(), recorded.tools.clone());
        Some(Said { instructions, tools, input, output })
    }
}

impl Recorded {
    /// An agent is told the same every time.
    fn of(agent: &str) -> Self {
        let seed =
            agent.bytes().fold(0, |seed: u64, byte| seed.wrapping_mul(31).wrapping_add(u64::from(byte)));
        let random = &mut Random::new(seed);
        let instructions =
            format!("[{{\"type\":\"text\",\"content\":\"You are {agent}. {}\"}}]", sentences(random, 90));
        let mut tools = String::new();
        for name in TOOLS.iter().take(4) {
            let comma = if tools.is_empty() { "" } else { "," };
            let _ = write!(
                tools,
                "{comma}{{\"type\":\"function\",\"name\":\"{name}\",\"description\":\"{}\"}}",
                sentences(random, 12)
            );
        }
        Self { instructions, tools: format!("[{tools}]"), messages: Vec::new() }
    }

    fn sum_up(&mut self, random: &mut Random) {
        if self.messages.iter().map(String::len).sum::<usize>() <= LONGEST {
            return;
        }
        let asked = self.messages.pop();
        self.messages.clear();
        self.messages.push(message("user", &format!("Summary so far: {}", sentences(random, 110))));
        self.messages.extend(asked);
    }
}

fn message(role: &str, content: &str) -> String {
    format!("{{\"role\":\"{role}\",\"parts\":[{{\"type\":\"text\",\"content\":\"{content}\"}}]}}")
}

/// Sentences with numbers and references in them, which no two share. Nothing in them needs escaping in JSON.
pub fn sentences(random: &mut Random, words: u64) -> String {
    thread_local! {
        static ALL: Vec<&'static str> = WORDS.split_ascii_whitespace().collect();
    }
    ALL.with(|all| {
        let mut out = String::new();
        for place in 0..words {
            let separator = match place {
                0 => "",
                place if place % 13 == 0 => ". ",
                _ => " ",
            };
            out.push_str(separator);
            match random.between(0, 24) {
                0 => drop(write!(out, "{}", random.between(10, 100_000))),
                1 => drop(write!(out, "REF-{:08x}", random.next() >> 32)),
                _ => out.push_str(all[skewed(random, all.len())]),
            }
        }
        out.push('.');
        out
    })
}

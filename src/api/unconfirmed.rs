//! Answers that wait for their records, in the mode `guaranteed`: they are sent once the journal is durable, and rewritten
//! into denials where it is not in time. Waiting is asynchronous: the worker serves others meanwhile.

use std::future::{Future, poll_fn};
use std::ops::Range;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use super::connection::Connection;
use super::desk::{self, Desk};
use super::encode::Writer;
use super::frame::write_frame;
use crate::event::{DecisionRecord, Pending};

/// How an answer stands among the bytes.
#[derive(Debug, Clone, Copy)]
pub enum Form {
    /// The framed message of a unary call.
    Unary,
    /// An item of a batch.
    Item,
    /// A framed message of a stream.
    Streamed,
}

/// The answers among some bytes that wait for their records.
#[derive(Debug, Default)]
pub struct Unconfirmed(Vec<(Range<usize>, Pending<DecisionRecord>)>);

impl Unconfirmed {
    /// Adds the answer at `place`, which waits for `pending`. Those of one worker are added in their order.
    pub fn push(&mut self, place: Range<usize>, pending: Pending<DecisionRecord>) {
        self.0.push((place, pending));
    }

    /// Whether no answer waits.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Waits until all records are durable, for as long as is configured. Gives `answers`, in which those whose records
    /// are not durable have become denials, and counts all of them.
    pub async fn settle(self, desk: &Desk, answers: Vec<u8>, form: Form) -> Vec<u8> {
        // Records become durable in their order.
        if let (Some((_, last)), Some(patience)) = (self.0.last(), desk.recorder.patience()) {
            // Whether it came in time is asked of each of them below.
            let _ = tokio::time::timeout(patience, poll_fn(|context| last.poll_settled(context))).await;
        }
        let mut rewritten = Vec::new();
        let mut done = 0;
        for (place, pending) in &self.0 {
            if pending.holds() {
                desk.count(pending.record());
                continue;
            }
            let mut record = pending.record().clone();
            record.refuse_unrecorded();
            desk.count(&record);
            rewritten.extend_from_slice(answers.get(done..place.start).unwrap_or_default());
            write(&mut rewritten, &record, form);
            done = place.end;
        }
        if done == 0 {
            return answers;
        }
        rewritten.extend_from_slice(answers.get(done..).unwrap_or_default());
        rewritten
    }
}

/// Answers on their way to be on record.
pub struct Settling(Pin<Box<dyn Future<Output = Vec<u8>>>>);

impl Settling {
    /// Settles those of `answers` that are `unconfirmed`.
    pub fn new(connection: Rc<Connection>, unconfirmed: Unconfirmed, answers: Vec<u8>, form: Form) -> Self {
        Self(Box::pin(async move { unconfirmed.settle(&connection.worker().desk, answers, form).await }))
    }

    /// The answers, once they may be sent.
    pub fn poll(&mut self, context: &mut Context<'_>) -> Poll<Vec<u8>> {
        self.0.as_mut().poll(context)
    }
}

impl std::fmt::Debug for Settling {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Settling")
    }
}

fn write(out: &mut Vec<u8>, record: &DecisionRecord, form: Form) {
    let named = |out: &mut Vec<u8>| {
        let mut out = Writer::new(out);
        out.string(1, &record.request.request_id);
        out.nested(2, |out| desk::write(out, record));
    };
    match form {
        Form::Unary => write_frame(out, |out| desk::write(out, record)),
        Form::Item => Writer::new(out).nested(2, named),
        Form::Streamed => write_frame(out, named),
    }
}

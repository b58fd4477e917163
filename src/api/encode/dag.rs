//! `VerifyDagResponse`, written from a verification.

use super::writer::Writer;
use crate::model::{BoundTo, Compared, DagVerification, Text, Timestamp};

/// Everything that an answer says.
#[derive(Debug, Clone, Copy)]
pub struct DagAnswer<'a> {
    /// What became of the question.
    pub verification: &'a DagVerification,
    /// The question's request id.
    pub request_id: &'a str,
    /// The correlation id of question and record.
    pub correlation_id: &'a str,
    /// When it was verified.
    pub verified_at: Timestamp,
}

/// Writes the fields of a `VerifyDagResponse`.
pub fn verify_dag_response(out: &mut Writer<'_>, answer: &DagAnswer<'_>) {
    let found = answer.verification;
    out.boolean(1, found.success);
    out.unsigned(2, bound_to_number(found.bound_to));
    out.unsigned(3, compared_number(found.compared));
    out.string(4, &found.ir_hash);
    out.string(5, &found.dag_hash);
    texts(out, 6, &found.missing_steps);
    texts(out, 7, &found.extra_nodes);
    texts(out, 8, &found.duplicates);
    for node in &found.malformed {
        out.message(9, |out| {
            out.unsigned(1, u64::from(node.index));
            out.string(2, &node.reason);
        });
    }
    for mismatch in &found.hash_mismatches {
        out.message(10, |out| {
            out.string(1, &mismatch.step_id);
            out.string(2, &mismatch.expected);
            out.string(3, &mismatch.actual);
            for path in &mismatch.changed_paths {
                out.present_string(4, path);
            }
        });
    }
    texts(out, 11, &found.rewired);
    texts(out, 12, &found.reordered);
    for deviation in &found.deviations {
        out.message(13, |out| {
            out.unsigned(1, deviation.kind as u64);
            out.string(2, &deviation.step_id);
            if let Some(seq) = deviation.execution_seq {
                out.present_unsigned(3, seq);
            }
            out.string(4, &deviation.message);
        });
    }
    texts(out, 14, &found.not_run);
    texts(out, 15, &found.refused);
    out.timestamp(16, answer.verified_at);
    out.string(17, answer.request_id);
    out.string(18, answer.correlation_id);
    out.string(19, &found.params_snapshot);
    texts(out, 20, &found.unchecked_params);
}

fn texts(out: &mut Writer<'_>, field: u32, texts: &[Text]) {
    for text in texts {
        out.present_string(field, text);
    }
}

const fn bound_to_number(bound_to: BoundTo) -> u64 {
    match bound_to {
        BoundTo::Receipt => 1,
        BoundTo::Approval => 2,
        BoundTo::None => 3,
    }
}

const fn compared_number(compared: Compared) -> u64 {
    match compared {
        Compared::Content => 1,
        Compared::DeclaredHashes => 2,
        Compared::Mixed => 3,
    }
}

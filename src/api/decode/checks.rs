//! What the decoders of several messages check and read alike.

use super::Malformed;
use super::attributes::attributes;
use super::reader::{Merged, Reader};
use super::violation::{Fault, Path, Violations};
use crate::model::{Attributes, Limits, Subject, Text, control_character, forbidden_character};

/// Checks the fields of one message, and reads the parts that messages share.
pub(super) struct Checks<'a> {
    /// Where the message stands; `None` for one that is the whole message.
    pub at: Option<&'a Path<'a>>,
    /// The limits.
    pub limits: &'a Limits,
    /// What is found.
    pub violations: &'a mut Violations,
}

impl Checks<'_> {
    /// Reads a subject, which may be without an id unless it `needs_id`.
    pub fn subject(&mut self, content: &Merged<'_>, needs_id: bool) -> Result<Subject, Malformed> {
        let at = Path::below(self.at, "subject");
        let mut subject = Subject::default();
        let mut properties = Merged::default();
        let mut reader = Reader::new(content.get().unwrap_or_default());
        while let Some((number, raw)) = reader.next()? {
            match number {
                1 => subject.kind = Text::from(raw.string()?),
                2 => subject.id = Text::from(raw.string()?),
                3 => {
                    // More than the limit is not kept, and one more shows that the limit is exceeded.
                    let role = raw.string()?;
                    if subject.roles.len() <= self.limits.roles {
                        subject.roles.push(Text::from(role));
                    }
                }
                4 => properties.add(raw.message()?)?,
                5 => subject.on_behalf_of = Text::from(raw.string()?),
                _ => {}
            }
        }
        subject.properties = self.properties(&properties, &at)?;
        let limits = self.limits;
        self.id_at(&at.field("type"), &subject.kind, limits.id_bytes);
        if needs_id {
            self.required_at(&at.field("id"), &subject.id, limits.name_bytes);
        } else {
            self.id_at(&at.field("id"), &subject.id, limits.name_bytes);
        }
        let roles = at.field("roles");
        if subject.roles.len() > limits.roles {
            self.violations.add(
                &roles,
                Fault::TooLong,
                format_args!("a subject may hold at most {} roles", limits.roles),
            );
        }
        for (index, role) in subject.roles.iter().enumerate() {
            self.id_at(&roles.index(index), role, limits.id_bytes);
        }
        self.id_at(&at.field("on_behalf_of"), &subject.on_behalf_of, limits.name_bytes);
        Ok(subject)
    }

    /// Reads the attributes of the entity at `at`.
    pub fn properties(&mut self, content: &Merged<'_>, at: &Path<'_>) -> Result<Attributes, Malformed> {
        match content.get() {
            Some(message) => attributes(message, 1, &at.field("properties"), self.limits, self.violations),
            None => Ok(Attributes::default()),
        }
    }

    /// Checks an id of the message, which may be empty.
    pub fn id(&mut self, field: &'static str, text: &str, most: usize) {
        if !text.is_empty() {
            self.id_at(&Path::below(self.at, field), text, most);
        }
    }

    /// Checks an id that may not be empty.
    pub fn required_at(&mut self, at: &Path<'_>, text: &str, most: usize) {
        if text.is_empty() {
            self.violations.add(at, Fault::MissingField, "the field is required");
        }
        self.id_at(at, text, most);
    }

    /// Checks an id.
    pub fn id_at(&mut self, at: &Path<'_>, text: &str, most: usize) {
        if text.len() > most {
            self.violations.add(at, Fault::TooLong, format_args!("{} bytes, at most {most} are allowed", text.len()));
        } else if let Some(c) = forbidden_character(text) {
            let what = "control characters, hidden characters and characters that change the direction of text are not \
                        allowed in ids";
            self.violations.add(at, Fault::ForbiddenCharacter, format_args!("U+{:04X}: {what}", u32::from(c)));
        }
    }
}

/// Checks a text for people, which may have lines.
pub(super) fn no_control_character(at: &Path<'_>, text: &str, violations: &mut Violations) {
    if let Some(c) = control_character(text) {
        let what = "control characters other than line breaks and tabs are not allowed in texts";
        violations.add(at, Fault::ForbiddenCharacter, format_args!("U+{:04X}: {what}", u32::from(c)));
    }
}

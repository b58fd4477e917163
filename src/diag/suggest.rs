//! "Did you mean": the known word nearest to one that is not known.

/// The candidate nearest to `word`, if one is near enough to be what was meant. Case and the difference between `_`, `-`
/// and nothing do not count.
///
/// ```
/// use lictor::diag::did_you_mean;
/// assert_eq!(did_you_mean("efect", ["effect", "name"]), Some("effect"));
/// assert_eq!(did_you_mean("required_level", ["requiredLevel"]), Some("requiredLevel"));
/// assert_eq!(did_you_mean("colour", ["effect", "name"]), None);
/// ```
pub fn did_you_mean<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let plain = fold(word);
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&plain, &fold(candidate)), candidate))
        .filter(|(distance, candidate)| *distance <= candidate.chars().count().div_ceil(3).min(3))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Longest word that is compared; distances are quadratic in it.
const MAX_CHARS: usize = 64;

fn fold(word: &str) -> String {
    word.chars().filter(|c| *c != '_' && *c != '-').take(MAX_CHARS).flat_map(char::to_lowercase).collect()
}

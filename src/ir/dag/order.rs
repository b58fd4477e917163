//! Order.

/// Positions in `places` of the fewest items whose removal leaves the others ascending: those that were moved.
pub(super) fn moved(places: &[usize]) -> Vec<usize> {
    // Patience sorting: `tails[n]` is the position of the smallest place that ends an ascending run of n + 1.
    let mut tails: Vec<usize> = Vec::new();
    let mut before: Vec<Option<usize>> = Vec::with_capacity(places.len());
    for (i, place) in places.iter().enumerate() {
        let length = tails.partition_point(|tail| places[*tail] < *place);
        before.push(length.checked_sub(1).map(|previous| tails[previous]));
        if length == tails.len() {
            tails.push(i);
        } else {
            tails[length] = i;
        }
    }
    let mut kept = vec![false; places.len()];
    let mut next = tails.last().copied();
    while let Some(i) = next {
        kept[i] = true;
        next = before[i];
    }
    (0..places.len()).filter(|i| !kept[*i]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fewest_are_moved() {
        for (places, expected) in [
            (&[][..], &[][..]),
            (&[0, 1, 2, 3], &[]),
            (&[1, 2, 3, 0], &[3]),
            (&[3, 0, 1, 2], &[0]),
            (&[0, 2, 1, 3], &[1]),
            (&[5, 9], &[]),
            (&[2, 2], &[0]),
        ] {
            assert_eq!(moved(places), expected, "{places:?}");
        }
        assert_eq!(moved(&[3, 2, 1, 0]).len(), 3);
    }
}

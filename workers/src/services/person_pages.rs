//! Pages of lists of people, which change while they are paged.

use natter_schemas::{id::UserId, limits, rpc::PersonCursor};

/// Which of the people, by their place in the list, a page after the cursor has.
pub fn range(people: &[UserId], after: Option<PersonCursor>, limit: usize) -> std::ops::Range<usize> {
    // Who has left since is no longer found: then it goes on at about the same place.
    let from = after
        .map_or(0, |(at, last)| people.iter().position(|user| *user == last).map_or(at, |found| found + 1));
    let from = from.min(people.len());
    from..people.len().min(from + limit.clamp(*limits::PAGE.start(), *limits::PAGE.end()))
}

/// Where the page behind this one begins.
pub fn next(people: &[UserId], shown: &std::ops::Range<usize>) -> Option<PersonCursor> {
    let last = people.get(shown.clone())?.last()?;
    (shown.end < people.len()).then_some((shown.end - 1, *last))
}

/// The same of a list in the order of its ids, which is at most `most` long.
pub fn behind<T, K: Ord>(
    mut all: Vec<T>,
    key: impl Fn(&T) -> K,
    after: Option<K>,
    most: usize,
) -> (Vec<T>, bool) {
    all.sort_unstable_by_key(&key);
    if let Some(after) = after {
        all.drain(..all.partition_point(|item| key(item) <= after));
    }
    let has_more = all.len() > most;
    all.truncate(most);
    (all, has_more)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_list_each_once_also_when_the_last_one_left() {
        let people: Vec<UserId> = (0..25).map(|_| UserId::fresh()).collect();
        let page = |people: &[UserId], after| {
            let shown = range(people, after, 10);
            (people[shown.clone()].to_vec(), next(people, &shown))
        };
        let (first, after) = page(&people, None);
        assert_eq!(first, people[..10]);
        let (second, after_second) = page(&people, after);
        assert_eq!(second, people[10..20]);
        let mut fewer = people.clone();
        fewer.remove(9);
        assert_eq!(page(&fewer, after).0, people[10..20]);
        assert_eq!(page(&people, after_second), (people[20..].to_vec(), None));
        assert_eq!(page(&people, Some((usize::MAX, UserId::fresh()))), (Vec::new(), None));
        assert_eq!(page(&[], None), (Vec::new(), None));
    }

    #[test]
    fn parts_of_a_list_by_id_have_everything_once() {
        let all: Vec<u32> = (0..25).rev().collect();
        let (mut after, mut seen) = (None, Vec::new());
        loop {
            let (items, has_more) = behind(all.clone(), |n| *n, after, 10);
            seen.extend(items);
            after = seen.last().copied();
            if !has_more {
                break;
            }
        }
        assert_eq!(seen, (0..25).collect::<Vec<_>>());
    }
}

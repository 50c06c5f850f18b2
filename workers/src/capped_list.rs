//! What a command found: counted in full, shown in part, so that a million findings fit as well as one.

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CappedList<T> {
    pub total: u64,
    /// The first of them, at most as many as it was made for.
    pub first: Vec<T>,
    most: usize,
}

impl<T> CappedList<T> {
    pub const fn of(most: usize) -> Self {
        Self { total: 0, first: Vec::new(), most }
    }

    pub fn push(&mut self, found: T) {
        self.total += 1;
        if self.first.len() < self.most {
            self.first.push(found);
        }
    }

    pub const fn is_empty(&self) -> bool {
        self.total == 0
    }

    /// How many are not shown.
    pub fn more(&self) -> u64 {
        self.total - self.first.len() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_counted_and_the_first_are_shown() {
        let mut sample = CappedList::of(2);
        assert!(sample.is_empty());
        for n in 0..5 {
            sample.push(n);
        }
        assert_eq!((sample.total, sample.more(), sample.first), (5, 3, vec![0, 1]));
    }
}

//! Inputs from inputs: bytes that are changed, removed, repeated, and words that parsers stumble over.

/// `SplitMix64`: the same inputs for the same number, on every machine.
pub struct Mutator(u64);

/// Ends of number ranges, brackets without an end, wrong types, broken escapes, broken UTF-8, marks without a base.
const WORDS: &[&[u8]] = &[
    b"null",
    b"true",
    b"-1",
    b"0",
    b"1e999",
    b"18446744073709551615",
    b"18446744073709551616",
    b"0.5",
    b"{}",
    b"[]",
    b"[[[[[[[[[[[[[[[[",
    b"\"\"",
    b"\"\\u0000\"",
    b"\"\\ud800\"",
    b"\\",
    b",",
    b":",
    b"}",
    b"]",
    b"\"",
    b"\0",
    b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
    b"\xff",
    b"\xc0\x80",
    b"\x80",
    b"\x01",
    b"\x02",
    "\u{200d}".as_bytes(),
    "\u{fe0f}".as_bytes(),
    "\u{fe0e}".as_bytes(),
    "\u{301}".as_bytes(),
    "\u{202e}".as_bytes(),
    "\u{1f469}".as_bytes(),
    "\u{20e3}".as_bytes(),
    "\u{1f1e9}".as_bytes(),
    "\u{e0067}".as_bytes(),
    "\u{3164}".as_bytes(),
    "\u{130}".as_bytes(),
    "\u{ac}".as_bytes(),
    "\u{fdfa}".as_bytes(),
    " ".as_bytes(),
    "\u{feff}".as_bytes(),
];
/// Longer inputs are refused before anything reads them.
const LONGEST: usize = 4 * 1024;

impl Mutator {
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Below `end`, which may be 0 for 0.
    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % (end.max(1) as u64)).unwrap()
    }

    /// One of `inputs` with a few changes.
    pub fn input(&mut self, inputs: &[Vec<u8>]) -> Vec<u8> {
        let mut input = inputs[self.below(inputs.len())].clone();
        for _ in 0..=self.below(6) {
            self.change(&mut input, inputs);
        }
        input.truncate(LONGEST);
        input
    }

    fn change(&mut self, input: &mut Vec<u8>, inputs: &[Vec<u8>]) {
        let at = self.below(input.len() + 1);
        let end = at + self.below((input.len() - at).min(32) + 1);
        match self.below(7) {
            0 if at < input.len() => input[at] ^= 1 << self.below(8),
            1 if at < input.len() => input[at] = self.next().to_le_bytes()[0],
            2 => drop(input.drain(at..end)),
            3 => {
                let part = input[at..end].repeat(1 + self.below(8));
                input.splice(at..at, part);
            }
            4 => {
                let other = &inputs[self.below(inputs.len())];
                let from = self.below(other.len() + 1);
                input.truncate(at);
                input.extend_from_slice(&other[from..]);
            }
            5 => {
                input.splice(at..end, WORDS[self.below(WORDS.len())].iter().copied());
            }
            _ => {
                input.splice(at..at, WORDS[self.below(WORDS.len())].iter().copied());
            }
        }
    }
}

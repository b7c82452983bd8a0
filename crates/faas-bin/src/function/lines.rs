//! Which lines of a text changed, where that is short enough to be read.

/// Texts with more lines are not compared.
const MOST_LINES: usize = 400;
/// A longer difference is not shown.
const MOST_SHOWN: usize = 40;

/// The lines that went, with `-`, and those that came, with `+`, in their order; `None` where that is too long.
pub(super) fn changed(old: &str, new: &str) -> Option<Vec<String>> {
    let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    if old.len() > MOST_LINES || new.len() > MOST_LINES {
        return None;
    }
    let common = common(&old, &new);
    let (mut from, mut to) = (0, 0);
    let mut lines = Vec::new();
    while from < old.len() || to < new.len() {
        if from < old.len() && to < new.len() && old[from] == new[to] {
            (from, to) = (from + 1, to + 1);
        } else if to == new.len() || (from < old.len() && common[from + 1][to] >= common[from][to + 1]) {
            lines.push(format!("-{}", old[from]));
            from += 1;
        } else {
            lines.push(format!("+{}", new[to]));
            to += 1;
        }
    }
    (lines.len() <= MOST_SHOWN).then_some(lines)
}

/// How many lines the ends of both texts from each pair of places on have in common, at most.
fn common(old: &[&str], new: &[&str]) -> Vec<Vec<u32>> {
    let mut table = vec![vec![0_u32; new.len() + 1]; old.len() + 1];
    for from in (0..old.len()).rev() {
        for to in (0..new.len()).rev() {
            table[from][to] = if old[from] == new[to] {
                table[from + 1][to + 1] + 1
            } else {
                table[from + 1][to].max(table[from][to + 1])
            };
        }
    }
    table
}

#[cfg(test)]
mod tests {
    use super::changed;
    use proptest::prelude::*;

    #[test]
    fn lines_that_stay_are_not_shown() {
        assert_eq!(changed("a\nb\nc\n", "a\nx\nc\nd\n"), Some(vec!["-b".into(), "+x".into(), "+d".into()]));
        assert_eq!(changed("same\n", "same\n"), Some(Vec::new()));
        assert_eq!(changed("", "a"), Some(vec!["+a".into()]));
        assert_eq!(changed(&"a\n".repeat(401), ""), None);
        assert_eq!(changed(&"a\n".repeat(41), ""), None);
    }

    proptest! {
        #[test]
        fn what_went_and_came_makes_one_of_the_other(old in "[ab\n]{0,20}", new in "[ab\n]{0,20}") {
            let lines = changed(&old, &new).expect("short");
            let count = |sign: char| lines.iter().filter(|line| line.starts_with(sign)).count();
            prop_assert_eq!(old.lines().count() - count('-'), new.lines().count() - count('+'));
        }
    }
}

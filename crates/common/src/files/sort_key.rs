use std::fmt::Write as _;

use unicode_normalization::UnicodeNormalization as _;

/// The text whose bytewise order is the natural order of names: case folded, compatibility forms and accents of a letter together,
/// runs of ASCII digits by their value, and names that fold alike told apart by the name itself.
///
/// It is valid UTF-8 without NUL, so that every store compares it alike.
pub fn sort_key(name: &str) -> String {
    let mut key = String::with_capacity(2 * name.len() + 2);
    let folded: String = name.nfkc().flat_map(char::to_lowercase).nfc().collect();
    let mut rest = folded.as_str();
    while let Some(first) = rest.chars().next() {
        let end = |digit: bool| rest.find(|c: char| c.is_ascii_digit() != digit).unwrap_or(rest.len());
        if first.is_ascii_digit() {
            let (run, after) = rest.split_at(end(true));
            let digits = run.trim_start_matches('0');
            // '0' puts numbers where digits stand among other characters; then the number of digits decides, then the digits
            key.push('0');
            key.push(
                char::from_u32(0x21 + u32::try_from(digits.len()).unwrap_or(u32::MAX - 0x21))
                    .unwrap_or(char::MAX),
            );
            key.push_str(digits);
            rest = after;
        } else {
            let (text, after) = rest.split_at(end(false));
            key.push_str(text);
            rest = after;
        }
    }
    // U+0001 is in no name and below all that is, so a prefix comes first
    write!(key, "\u{1}{name}").expect("writing to a string cannot fail");
    key
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sorted(mut names: Vec<&str>) -> Vec<&str> {
        names.sort_by_key(|name| sort_key(name));
        names
    }

    #[test]
    fn numbers_sort_by_value_and_case_does_not_matter() {
        let names =
            vec!["img2.jpg", "IMG10.jpg", "img1.jpg", "Img3.jpg", "img", "img02.jpg", "image", "img 2.jpg"];
        assert_eq!(
            sorted(names),
            ["image", "img", "img 2.jpg", "img1.jpg", "img02.jpg", "img2.jpg", "Img3.jpg", "IMG10.jpg"]
        );
    }

    #[test]
    fn names_that_fold_alike_have_different_keys() {
        assert_ne!(sort_key("A"), sort_key("a"));
        assert_ne!(sort_key("x1"), sort_key("x01"));
    }

    #[test]
    fn long_runs_of_digits_do_not_overflow() {
        assert!(sort_key(&"9".repeat(254)) < sort_key(&format!("1{}", "0".repeat(254))));
    }

    proptest! {
        #[test]
        fn keys_hold_no_nul_and_differ_where_names_do(a in "[^\\x00]{0,40}", b in "[^\\x00]{0,40}") {
            prop_assert!(!sort_key(&a).contains('\0'));
            prop_assert_eq!(sort_key(&a) == sort_key(&b), a == b);
        }

        #[test]
        fn plain_numbers_sort_as_numbers(a: u64, b: u64) {
            prop_assert_eq!(sort_key(&format!("f{a}")).cmp(&sort_key(&format!("f{b}"))), a.cmp(&b));
        }
    }
}

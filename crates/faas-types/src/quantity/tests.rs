//! Accepted forms, hostile forms, and what must hold for any text.

use super::{ByteSize, CpuAmount, QuantityError, parse_count, parse_duration};
use proptest::prelude::*;
use std::time::Duration;

/// What no quantity of any kind accepts.
const HOSTILE: [&str; 24] = [
    "0",
    "0.0",
    "-1",
    "+1",
    "1e18",
    "1e3m",
    "",
    " ",
    " 256Mi",
    "256MiB ",
    "NaN",
    "nan",
    "inf",
    "-inf",
    "infinity",
    "0x10",
    "١٢",
    "18446744073709551616",
    "9999999999Ti",
    "340282366920938463463374607431768211456",
    "1_000",
    "1,000",
    "1.",
    ".5",
];

#[test]
fn sizes_in_every_accepted_form() {
    let table = [
        ("256", 256 << 20),
        ("1.5", 1_572_864),
        ("1B", 1),
        ("1Ki", 1 << 10),
        ("256Mi", 256 << 20),
        ("256MiB", 256 << 20),
        ("1.5Gi", 1_610_612_736),
        ("2Ti", 2 << 40),
        ("1k", 1000),
        ("1K", 1000),
        ("1KB", 1000),
        ("512M", 512_000_000),
        ("512MB", 512_000_000),
        ("0.5G", 500_000_000),
        ("1GB", 1_000_000_000),
        ("1T", 1_000_000_000_000),
        ("1TB", 1_000_000_000_000),
        ("18446744073709551615B", u64::MAX),
    ];
    for (text, bytes) in table {
        assert_eq!(text.parse(), Ok(ByteSize::from_bytes(bytes)), "{text}");
    }
}

#[test]
fn sizes_that_are_refused() {
    for text in ["0.5B", "1.0001Ki", "1b", "1mi", "1MI", "1m", "1 Mi", "1Pi", "0Gi", "18446744073709551616B"] {
        assert!(text.parse::<ByteSize>().is_err(), "{text}");
    }
}

#[test]
fn sizes_print_their_shortest_exact_form() {
    let table =
        [(0, "0B"), (1000, "1000B"), (1024, "1Ki"), (256 << 20, "256Mi"), (1536 << 20, "1536Mi"), (1 << 40, "1Ti")];
    for (bytes, text) in table {
        assert_eq!(ByteSize::from_bytes(bytes).to_string(), text);
    }
}

#[test]
fn processor_shares_in_every_accepted_form() {
    let table = [
        ("1m", 1),
        ("100m", 100),
        ("1", 1000),
        ("0.5", 500),
        ("0.001", 1),
        ("1.5", 1500),
        ("1024", 1_024_000),
        ("1024000m", 1_024_000),
    ];
    for (text, milli) in table {
        assert_eq!(text.parse(), Ok(CpuAmount::from_milli(milli)), "{text}");
    }
    assert_eq!(CpuAmount::from_milli(2000).to_string(), "2");
    assert_eq!(CpuAmount::from_milli(1500).to_string(), "1500m");
}

#[test]
fn processor_shares_that_are_refused() {
    for text in ["0m", "0.0005", "0.5m", "1024.001", "1025", "1024001m", "1M", "1 core"] {
        assert!(text.parse::<CpuAmount>().is_err(), "{text}");
    }
}

#[test]
fn durations_in_every_accepted_form() {
    let table = [
        ("1ms", 1),
        ("0.001", 1),
        ("30", 30_000),
        ("0.5", 500),
        ("1.5s", 1500),
        ("5m", 300_000),
        ("0.5h", 1_800_000),
        ("24h", 86_400_000),
    ];
    for (text, milliseconds) in table {
        assert_eq!(parse_duration(text), Ok(Duration::from_millis(milliseconds)), "{text}");
    }
}

#[test]
fn durations_that_are_refused() {
    for text in ["0ms", "0.5ms", "0.0005", "24.001h", "86401", "86400001ms", "1d", "1M", "1us", "1h30m", "1 s"] {
        assert!(parse_duration(text).is_err(), "{text}");
    }
}

#[test]
fn counts() {
    assert_eq!(parse_count("64", "pids"), Ok(64));
    assert_eq!(parse_count("4294967295", "pids"), Ok(u32::MAX));
    for text in ["4294967296", "1.5", "1.0", "64k", "64 "] {
        assert!(parse_count(text, "pids").is_err(), "{text}");
    }
}

#[test]
fn hostile_quantities_are_refused_by_every_kind_with_the_accepted_forms() {
    for text in HOSTILE {
        let refusals: [QuantityError; 4] = [
            text.parse::<ByteSize>().expect_err(text),
            text.parse::<CpuAmount>().expect_err(text),
            parse_duration(text).expect_err(text),
            parse_count(text, "pids").expect_err(text),
        ];
        for refusal in refusals {
            let message = refusal.to_string();
            assert!(message.starts_with(&format!("invalid {} {text:?}; accepted: ", refusal.what)), "{message}");
            assert!(refusal.accepted.len() > 20, "{message}");
        }
    }
}

#[test]
fn a_huge_text_is_refused_with_a_short_message() {
    for text in ["9".repeat(1 << 20), format!("0.{}", "0".repeat(1 << 20)), "x".repeat(1 << 20)] {
        let message = text.parse::<ByteSize>().expect_err("no size").to_string();
        assert!(message.len() < 600, "{} bytes", message.len());
    }
}

proptest! {
    #[test]
    fn a_printed_size_parses_to_itself(bytes in 1_u64..) {
        let size = ByteSize::from_bytes(bytes);
        prop_assert_eq!(size.to_string().parse(), Ok(size));
    }

    #[test]
    fn a_printed_round_size_parses_to_itself(count in 1_u64..=1 << 23, shift in 0_u32..=40) {
        let size = ByteSize::from_bytes(count << shift);
        prop_assert_eq!(size.to_string().parse(), Ok(size));
    }

    #[test]
    fn a_printed_processor_share_parses_to_itself(milli in 1_u32..=1_024_000) {
        let amount = CpuAmount::from_milli(milli);
        prop_assert_eq!(amount.to_string().parse(), Ok(amount));
    }

    #[test]
    fn a_duration_in_milliseconds_is_exact(milliseconds in 1_u64..=86_400_000) {
        prop_assert_eq!(parse_duration(&format!("{milliseconds}ms")), Ok(Duration::from_millis(milliseconds)));
        let (seconds, rest) = (milliseconds / 1000, milliseconds % 1000);
        prop_assert_eq!(parse_duration(&format!("{seconds}.{rest:03}")), Ok(Duration::from_millis(milliseconds)));
    }

    #[test]
    fn any_text_is_answered_without_a_panic(text in r"(?s)\PC{0,8}[0-9.]{0,60}.{0,8}") {
        let _: (Result<ByteSize, _>, Result<CpuAmount, _>) = (text.parse(), text.parse());
        let _: (Result<Duration, _>, Result<u32, _>) = (parse_duration(&text), parse_count(&text, "pids"));
    }

    #[test]
    fn nothing_parses_to_zero_or_beyond_its_range(text in r"[0-9]{1,24}(\.[0-9]{1,6})?(B|Ki|Mi|Gi|Ti|k|M|G|T|m|ms|s|h)?") {
        if let Ok(size) = text.parse::<ByteSize>() {
            prop_assert!(size.as_bytes() > 0);
        }
        if let Ok(amount) = text.parse::<CpuAmount>() {
            prop_assert!((1..=1_024_000).contains(&amount.as_milli()));
        }
        if let Ok(duration) = parse_duration(&text) {
            prop_assert!(duration >= Duration::from_millis(1) && duration <= Duration::from_secs(86_400));
        }
    }
}

use super::*;
use proptest::prelude::*;

const PRICE: Plur = Plur(24_000);

fn batch(number: u8, days_left: u64) -> Rented {
    Rented {
        id: BatchId([number; 32]),
        depth: 20,
        left: Some(Duration::from_secs(days_left * DAY)),
    }
}

fn rules(cap: &str) -> Rent {
    Rent {
        topup_below_days: 30,
        topup_to_days: 60,
        cap_xbzz_per_month: Some(cap.parse().unwrap()),
        spent: Vec::new(),
    }
}

#[test]
fn warnings_come_at_thirty_fourteen_and_seven_days() {
    let off = Rent::default();
    for (left, threshold) in [
        (31, None),
        (30, Some(30)),
        (15, Some(30)),
        (14, Some(14)),
        (7, Some(7)),
        (0, Some(7)),
    ] {
        let steps = due(&[batch(1, left)], PRICE, 0, &off);
        let expected = threshold.map(|threshold| Step::Warn {
            batch: BatchId([1; 32]),
            days: left,
            threshold,
        });
        assert_eq!(steps, expected.into_iter().collect::<Vec<_>>(), "{left}");
    }
    let unknown = Rented {
        left: None,
        ..batch(1, 0)
    };
    assert!(due(&[unknown], PRICE, 0, &rules("9")).is_empty());
}

#[test]
fn the_most_urgent_is_topped_up_first_and_the_cap_ends_it() {
    let steps = due(
        &[batch(1, 20), batch(2, 10), batch(3, 40)],
        PRICE,
        0,
        &rules("3"),
    );
    let amount = Plur(24_000 * 50 * u128::from(DAY) / 5);
    let Step::TopUp {
        batch: first,
        amount: paid,
        price,
    } = &steps[0]
    else {
        panic!("{steps:?}")
    };
    assert_eq!(
        (*first, *paid, *price),
        (BatchId([2; 32]), amount, amount.for_depth(20).unwrap())
    );
    assert!(matches!(steps[1], Step::TopUp { amount: part, .. } if part < amount));
    assert!(
        matches!(steps[2], Step::Capped { .. })
            && matches!(steps[3], Step::Warn { threshold: 30, .. })
    );
    assert_eq!(steps.len(), 4);
    let none = due(&[batch(1, 20)], PRICE, 0, &rules("0.001"));
    assert!(
        matches!(none[..], [Step::Capped { .. }, Step::Warn { .. }]),
        "{none:?}"
    );
    assert!(due(&[batch(1, 0)], PRICE, 0, &rules("3")).len() == 1);
}

#[test]
fn what_was_paid_counts_for_a_month() {
    let mut rules = rules("2");
    rules.pay(1000, Plur(Plur::PER_BZZ));
    rules.pay(2000, Plur(5));
    assert_eq!(rules.spent(2000), Plur(Plur::PER_BZZ + 5));
    rules.unpay(2000, Plur(5));
    assert_eq!(rules.spent(1000 + MONTH - 1), Plur(Plur::PER_BZZ));
    assert_eq!(rules.spent(1000 + MONTH), Plur(0));
    assert!(
        Rent {
            topup_to_days: 30,
            ..rules.clone()
        }
        .check()
        .is_err()
    );
    assert!(
        Rent {
            cap_xbzz_per_month: None,
            ..rules.clone()
        }
        .check()
        .is_err()
    );
    assert!(rules.check().is_ok() && Rent::default().check().is_ok());
}

#[test]
fn amounts_are_read_as_they_are_shown() {
    for (text, plur) in [
        ("2", 2 * Plur::PER_BZZ),
        ("0.5", Plur::PER_BZZ / 2),
        ("0.0000000000000001", 1),
    ] {
        assert_eq!(text.parse(), Ok(Money(Plur(plur))));
        assert_eq!(Money(Plur(plur)).to_string(), text);
    }
    for text in [
        "",
        ".5",
        "-1",
        "1,5",
        "1.00000000000000001",
        "9".repeat(40).as_str(),
        "1 xBZZ",
    ] {
        assert!(text.parse::<Money>().is_err(), "{text}");
    }
    assert_eq!(for_gib_and_year(PRICE).to_string(), "3.96814712832 xBZZ");
}

proptest! {
    /// Two years of days, floating prices, batches that end or not: no 31 days cost more than the cap.
    #[test]
    fn the_cap_is_never_exceeded(
        cap in 1..20_u128,
        depths in proptest::collection::vec(17..24_u8, 1..4),
        prices in proptest::collection::vec(1_000..200_000_u128, 60..100),
    ) {
        let mut rules = rules(&cap.to_string());
        let mut left: Vec<u64> = depths.iter().map(|_| 45 * DAY).collect();
        let mut paid: Vec<(i64, u128)> = Vec::new();
        for (day, price) in prices.iter().enumerate() {
            let now = i64::try_from(day as u64 * DAY).unwrap();
            let batches: Vec<Rented> = depths.iter().zip(&left).enumerate().map(|(number, (depth, left))| Rented {
                id: BatchId([u8::try_from(number).unwrap(); 32]),
                depth: *depth,
                left: Some(Duration::from_secs(*left)),
            }).collect();
            for step in due(&batches, Plur(*price), now, &rules) {
                if let Step::TopUp { batch, amount, price: sum } = step {
                    prop_assert!(Some(sum) == amount.for_depth(depths[usize::from(batch.0[0])]));
                    rules.pay(now, sum);
                    paid.push((now, sum.0));
                    left[usize::from(batch.0[0])] += u64::try_from(amount.0 / price * 5).unwrap();
                }
            }
            let month: u128 = paid.iter().filter(|(at, _)| *at > now - MONTH).map(|(_, sum)| sum).sum();
            prop_assert!(month <= cap * Plur::PER_BZZ, "{month}");
            for left in &mut left {
                *left = left.saturating_sub(DAY);
            }
        }
    }
}

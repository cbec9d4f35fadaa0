//! Ten thousand answers with other bytes, and none of them shown.

use podfs::store::{Fault, Faults, Memory, Store, StoreError};

use crate::store::random_chunks;
use crate::support::random::Random;

#[tokio::test]
async fn none_of_ten_thousand_wrong_answers_is_shown() {
    let mut random = Random::new("none_of_ten_thousand_wrong_answers_is_shown");
    let chunks = random_chunks(&mut random, 20);
    let faults = Faults {
        wrong_bytes: 1000,
        ..Faults::default()
    };
    let store = Fault::new(Memory::default(), random.next(), faults);
    for chunk in &chunks {
        store.put(chunk).await.unwrap();
    }
    for round in 0..10_000 {
        let chunk = &chunks[round % chunks.len()];
        assert_eq!(
            store.get(chunk.address()).await,
            Err(StoreError::Corrupt),
            "round {round}"
        );
    }
    assert_eq!(store.counts().wrong_bytes, 10_000);
}

/// The same faults from the same seed; what a put promised, what a lost reply left.
#[tokio::test]
async fn faults_are_those_of_their_seed() {
    let mut random = Random::new("faults_are_those_of_their_seed");
    let (chunks, number) = (random_chunks(&mut random, 300), random.next());
    let faults = Faults {
        refused: 100,
        accepted_and_lost: 100,
        lost_replies: 100,
        unreachable: 100,
        not_found: 100,
        forgotten: 50,
        ..Faults::default()
    };
    let mut runs = Vec::new();
    for _ in 0..2 {
        let store = Fault::new(Memory::default(), number, faults.clone());
        let mut seen = Vec::new();
        for chunk in &chunks {
            let put = store.put(chunk).await;
            let held = store.inner().has(chunk.address()).await.unwrap();
            let refused = matches!(put, Err(StoreError::Rejected(_)));
            assert!(!(refused && held), "refused, and there all the same");
            seen.push((
                format!("{put:?}"),
                held,
                store.get(chunk.address()).await.is_ok(),
            ));
        }
        let lost = |(put, held, _): &&(String, bool, bool)| put.starts_with("Ok") && !held;
        let silent = |(put, held, _): &&(String, bool, bool)| put.contains("Cut") && *held;
        assert!(seen.iter().filter(lost).count() > 5, "accepted and lost");
        assert!(seen.iter().filter(silent).count() > 5, "lost replies");
        runs.push(seen);
    }
    assert_eq!(runs[0], runs[1]);
}

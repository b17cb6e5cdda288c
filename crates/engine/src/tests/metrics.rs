//! The points of a metric.

use super::Fixture;
use model::metric::Number;
use model::{MetricPoint, TenantId, TimeRange, Timestamp};
use query::{Deadline, Error, MetricRequest};

fn points(name: &str, times: impl IntoIterator<Item = u64>) -> Vec<MetricPoint> {
    let point = |time| MetricPoint {
        name: name.to_owned(),
        time: Timestamp(time),
        number: Some(Number::Int(1)),
        ..MetricPoint::default()
    };
    times.into_iter().map(point).collect()
}

/// The times of the points found and whether these are all, or what is not stored.
async fn found(
    fixture: &Fixture,
    name: &str,
    range: (u64, u64),
    limit: usize,
) -> Result<(Vec<u64>, bool), String> {
    let range = TimeRange { from: Timestamp(range.0), to: Timestamp(range.1) };
    let request = MetricRequest { name: name.to_owned(), range, limit, deadline: Deadline::default() };
    match fixture.engine.metric_points(&TenantId::default(), request).await {
        Ok(result) => Ok((result.points.iter().map(|point| point.time.0).collect(), result.complete)),
        Err(Error::NotFound { what }) => Err(what),
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_points_are_kept_though_sources_overlap() {
    let fixture = Fixture::new().await;
    fixture.send_points(&points("load", [10, 11, 12, 95])).await;
    fixture.storage.seal().await.unwrap();
    fixture.send_points(&points("load", [1, 2, 3, 100])).await;
    fixture.send_points(&points("load", [90, 91])).await;
    let all = (0, u64::MAX);
    assert_eq!(found(&fixture, "load", all, 3).await, Ok((vec![91, 95, 100], false)));
    assert!(found(&fixture, "load", all, 10).await.unwrap().1);
    assert_eq!(found(&fixture, "load", (11, 91), 3).await, Ok((vec![11, 12, 90], true)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_known_metric_may_have_no_points_in_the_range() {
    let fixture = Fixture::new().await;
    fixture.send_points(&points("load", [10])).await;
    fixture.send_points(&points("other", [50])).await;
    assert_eq!(found(&fixture, "load", (20, 60), 3).await, Ok((vec![], true)));
    assert_eq!(found(&fixture, "load", (200, 600), 3).await, Ok((vec![], true)));
    assert_eq!(found(&fixture, "lode", (0, 60), 3).await, Err("the metric \"lode\"".to_owned()));
}

/// The last nanosecond that there is has no other after it.
#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_time_is_in_all_of_time() {
    let fixture = Fixture::new().await;
    fixture.send_points(&points("load", [5, u64::MAX])).await;
    for sealed in [false, true] {
        if sealed {
            fixture.storage.seal().await.unwrap();
        }
        assert_eq!(
            found(&fixture, "load", (0, u64::MAX), 9).await,
            Ok((vec![5, u64::MAX], true)),
            "{sealed}"
        );
        assert_eq!(found(&fixture, "load", (6, u64::MAX), 9).await, Ok((vec![u64::MAX], true)), "{sealed}");
        assert_eq!(found(&fixture, "load", (0, u64::MAX - 1), 9).await, Ok((vec![5], true)), "{sealed}");
    }
}

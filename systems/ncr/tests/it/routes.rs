//! Both routes over HTTP: what is answered, and what is refused.

use partie_testkit::{TestRun, TestSystem};
use serde_json::{Value, json};

async fn get(run: &TestRun, path: &str) -> (u16, Value) {
    let answer = run.http().get(path).send().await.unwrap();
    (answer.status, answer.json())
}

#[tokio::test]
async fn the_route_answers_exactly_and_says_how() {
    let run = TestSystem::of(ncr::system()).start().await;
    let traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let answer = run.http().get("/api/v1/ncr/52/5").header("traceparent", traceparent).send().await.unwrap();
    let expected = json!({
        "n": 52, "r": 5, "value": "2598960", "digits": 7, "calls": 3,
        "trace_id": "0af7651916cd43dd8448eb211c80319c",
    });
    assert_eq!((answer.status, answer.json()), (200, expected));
    for (path, value) in [("0/0", "1"), ("1/0", "1"), ("1/1", "1"), ("35/17", "4537567650"), ("007/02", "21")]
    {
        let (status, answer) = get(&run, &format!("/api/v1/ncr/{path}")).await;
        assert_eq!((status, answer["value"].as_str()), (200, Some(value)), "{path}");
    }
    assert_eq!(get(&run, "/api/v1/ncr/20000/10000").await.1["digits"], 6019);
}

#[tokio::test]
async fn what_cannot_be_chosen_is_refused() {
    let run = TestSystem::of(ncr::system()).start().await;
    for path in ["3/4", "-1/0", "5/-1", "20001/1", "99999999999999999999/1", "-99999999999999999999/1"] {
        let (status, problem) = get(&run, &format!("/api/v1/ncr/{path}")).await;
        assert_eq!(
            (status, &problem["code"], &problem["limit"]),
            (422, &json!("ncr-domain"), &json!(20_000)),
            "{path}"
        );
    }
    for path in ["x/1", "5/2.0", "1e3/2", "5/%20", "0x5/2"] {
        let (status, problem) = get(&run, &format!("/api/v1/ncr/{path}")).await;
        assert_eq!((status, &problem["code"]), (400, &json!("malformed-request")), "{path}");
    }
}

#[tokio::test]
async fn limits_are_settings() {
    let run = TestSystem::of(ncr::system())
        .configure(|config| {
            let table = |limit: i64| toml_table(limit);
            config.services.insert("calculator".to_owned(), table(1_000));
            config.services.insert("factorial".to_owned(), table(500));
        })
        .start()
        .await;
    assert_eq!(get(&run, "/api/v1/ncr/500/3").await.0, 200);
    // Whichever of the two is in the way.
    assert_eq!(get(&run, "/api/v1/ncr/501/3").await.1["code"], "ncr-domain");
    assert_eq!(get(&run, "/api/ncr/501/3").await.0, 422);
    assert_eq!(get(&run, "/api/v1/ncr/1001/3").await.1["limit"], 1_000);
}

#[tokio::test]
async fn the_tutorials_route_answers_in_its_words() {
    let run = TestSystem::of(ncr::system()).start().await;
    let (status, answer) = get(&run, "/api/ncr/5/2").await;
    assert_eq!((status, answer), (200, json!({"input": [5.0, 2.0], "ncr": 10, "msg": "Success"})));
    // The tutorial reads floats.
    assert_eq!(get(&run, "/api/ncr/5.0/2e0").await.1["ncr"], 10);
    // The last that is exact in a double, and the first beyond 2^53.
    assert_eq!(get(&run, "/api/ncr/56/27").await.1["ncr"], json!(7_384_942_649_010_080_u64));
    assert_eq!(get(&run, "/api/ncr/57/28").await.1["ncr"], json!("15033633249770520"));
    // Where the tutorial is not exact any more, and where it answers NaN.
    assert_eq!(get(&run, "/api/ncr/14/7").await.1["ncr"], 3432);
    assert_eq!(get(&run, "/api/ncr/100/50").await.1["ncr"], "100891344545564193334812497256");
}

#[tokio::test]
async fn what_the_tutorial_answers_without_a_result_is_refused() {
    let run = TestSystem::of(ncr::system()).start().await;
    for (path, status, input) in [
        ("2/5", 422, json!([2.0, 5.0])),
        ("-1/0", 422, json!([-1.0, 0.0])),
        ("2.5/1", 422, json!([2.5, 1.0])),
        ("1e300/1", 422, json!([1e300, 1.0])),
        ("five/2", 400, json!(["five", 2.0])),
        ("5/nan", 400, json!([5.0, "nan"])),
    ] {
        let (answered, problem) = get(&run, &format!("/api/ncr/{path}")).await;
        assert_eq!((answered, &problem["input"]), (status, &input), "{path}: {problem}");
        assert!(problem["ncr"].is_null() && problem.as_object().unwrap().contains_key("ncr"), "{problem}");
        assert!(problem["msg"].as_str().is_some_and(|msg| msg.starts_with("supply")), "{problem}");
    }
}

fn toml_table(limit: i64) -> toml::Value {
    toml::Table::from_iter([("limit".to_owned(), limit.into())]).into()
}

//! `/healthz`, `/readyz`, `/metrics`.

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header::CONTENT_TYPE},
    response::IntoResponse,
    routing::get,
};
use std::sync::Arc;

use crate::context::Context;

/// The routes. All are cheap, and none calls the API server.
pub fn routes(ctx: Arc<Context>) -> Router {
    Router::new()
        // The process answers: whatever the API server does, a restart would not help.
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(ctx)
}

async fn ready(State(ctx): State<Arc<Context>>) -> (StatusCode, &'static str) {
    if ctx.is_stopping() {
        (StatusCode::SERVICE_UNAVAILABLE, "stopping\n")
    } else if ctx.stores.is_ready() {
        (StatusCode::OK, "ok\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "waiting for the first lists\n")
    }
}

async fn metrics(State(ctx): State<Arc<Context>>) -> impl IntoResponse {
    let (pending, quarantined) = ctx.memory.counts();
    let gauge = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    ctx.metrics.pending_writes.set(gauge(pending));
    ctx.metrics.quarantined.set(gauge(quarantined));
    ctx.metrics.outbound_in_flight.set(gauge(ctx.requests.count()));
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(CONTENT_TYPE, kind)], ctx.metrics.text())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        clock,
        config::Settings,
        report::events::Events,
        testing::{client, list_nothing},
    };
    use axum::body::{Body, to_bytes};
    use http::Request;
    use tower::ServiceExt;

    async fn get(ctx: &Arc<Context>, path: &str) -> (StatusCode, String) {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let answer = routes(Arc::clone(ctx)).oneshot(request).await.unwrap();
        let status = answer.status();
        let body = to_bytes(answer.into_body(), usize::MAX).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn it_is_ready_from_the_first_lists_to_the_stop() {
        let (client, _) = client(|_| None);
        let clock = Arc::new(clock::System::new());
        let ctx = Context::new(client, clock, Settings::default(), Events::none());
        let ctx = Arc::new(ctx);
        assert_eq!(get(&ctx, "/readyz").await.0, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(get(&ctx, "/healthz").await.0, StatusCode::OK);
        list_nothing(&ctx);
        assert_eq!(get(&ctx, "/readyz").await.0, StatusCode::OK);
        ctx.stop();
        assert_eq!(get(&ctx, "/readyz").await.0, StatusCode::SERVICE_UNAVAILABLE);
        let (_, text) = get(&ctx, "/metrics").await;
        for line in [
            "jobwright_config_valid 1",
            "jobwright_pending_status_writes 0",
            "jobwright_build_info{version=",
        ] {
            assert!(text.contains(line), "{line} in\n{text}");
        }
    }
}

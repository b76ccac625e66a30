use std::cell::RefCell;
use std::collections::HashMap;
use std::time::Duration;

use actix_web::http::{Method, StatusCode};
use metrics::{Counter, Histogram};

/// The metrics of one service, looked up once for each worker, route, method and status: a look-up in the recorder costs more than all
/// the rest of the middleware.
pub(super) struct Series {
    service: &'static str,
    routes: RefCell<HashMap<String, Vec<Row>>>,
}

struct Row {
    method: Method,
    status: StatusCode,
    requests: Counter,
    duration: Histogram,
}

impl Series {
    pub(super) fn new(service: &'static str) -> Self {
        metrics::describe_counter!("fm_http_requests_total", "Requests by route, method and status");
        metrics::describe_histogram!(
            "fm_http_request_duration_seconds",
            metrics::Unit::Seconds,
            "Time from a request's head to its answer's head"
        );
        Self { service, routes: RefCell::default() }
    }

    /// Counts a request. `route` is a pattern, so there are only so many.
    pub(super) fn record(&self, route: Option<String>, method: &Method, status: StatusCode, took: Duration) {
        let route = route.unwrap_or_else(|| "unmatched".to_owned());
        // methods that are made up share a label, or a client could make series without end
        let method = match *method {
            Method::GET
            | Method::HEAD
            | Method::POST
            | Method::PUT
            | Method::PATCH
            | Method::DELETE
            | Method::OPTIONS => method.clone(),
            _ => Method::TRACE,
        };
        let mut routes = self.routes.borrow_mut();
        if let Some(rows) = routes.get(&route)
            && let Some(row) = rows.iter().find(|row| row.status == status && row.method == method)
        {
            row.count(took);
            return;
        }
        let row = self.row(&route, method, status);
        row.count(took);
        routes.entry(route).or_default().push(row);
    }

    fn row(&self, route: &str, method: Method, status: StatusCode) -> Row {
        let name = match method {
            Method::TRACE => "other".to_owned(),
            _ => method.as_str().to_owned(),
        };
        let requests = metrics::counter!(
            "fm_http_requests_total",
            "service" => self.service, "method" => name.clone(), "route" => route.to_owned(), "status" => status.as_str().to_owned()
        );
        let duration = metrics::histogram!(
            "fm_http_request_duration_seconds",
            "service" => self.service, "method" => name, "route" => route.to_owned()
        );
        Row { method, status, requests, duration }
    }
}

impl Row {
    fn count(&self, took: Duration) {
        self.requests.increment(1);
        self.duration.record(took);
    }
}

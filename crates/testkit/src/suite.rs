//! How suites become tests.

/// Makes a `#[tokio::test]` of each named check of a suite. `$make` is an async function that returns a fresh subject.
#[macro_export]
macro_rules! suite {
    ($make:expr, $module:ident, [$($check:ident),* $(,)?]) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $check() {
            let subject = $make().await;
            $crate::$module::$check(&subject).await;
        }
    )*};
}

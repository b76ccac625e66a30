//! End-to-end suites. Each case takes a running product by its public address and nothing else, so that every form of the product runs the same ones.
//!
//! A case begins with a fresh installation whose set-up code it knows. [`cases!`] turns all of them into tests.

pub mod accounts;
pub mod bad_input;
pub mod classic;
pub mod contents;
pub mod files;
pub mod jobs;
pub mod product;
pub mod samples;
#[cfg(feature = "stack")]
pub mod stack;
pub mod wait;

pub use product::{Account, Product};

/// Makes a test of each case. `$start` is an async function that starts a fresh product and returns something with a method `product()`.
#[macro_export]
macro_rules! cases {
    ($start:path: $($module:ident { $($case:ident)* })*) => {$(
        mod $module {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $case() {
                    let running = $start().await;
                    if let Err(error) = e2e::$module::$case(&running.product()).await {
                        panic!("{error:?}");
                    }
                }
            )*
        }
    )*};
}

//! The same request for many items: concurrently, with results in the items' order.

use futures_util::{StreamExt, TryStreamExt, stream};

use crate::Result;

/// Requests of one call under way: a long list leaves most of the cluster's permits to others.
const CONCURRENCY: usize = 64;

pub async fn each<I, T, A>(items: impl IntoIterator<Item = I>, request: impl Fn(I) -> A) -> Result<Vec<T>>
where
    A: Future<Output = Result<T>> + Send,
{
    stream::iter(items.into_iter().map(request)).buffered(CONCURRENCY).try_collect().await
}

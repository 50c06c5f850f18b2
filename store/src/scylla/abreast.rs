//! The same question about many things: asked side by side, answered in order.

use futures_util::{StreamExt, TryStreamExt, stream};

use crate::Result;

/// Of one call, of the cluster's bound for all calls: a long list leaves room for others.
const ABREAST: usize = 64;

pub async fn each<I, T, A>(items: impl IntoIterator<Item = I>, ask: impl Fn(I) -> A) -> Result<Vec<T>>
where
    A: Future<Output = Result<T>> + Send,
{
    stream::iter(items.into_iter().map(ask)).buffered(ABREAST).try_collect().await
}

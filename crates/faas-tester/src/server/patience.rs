//! Waiting with a bound, and how much of a test is done.

use anyhow::{Context, Result, bail};
use std::str::FromStr;
use std::time::{Duration, Instant};

/// How often a state that nothing announces is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Looks until `look` answers something, at most for `bound`. An error of `look` ends it.
///
/// # Errors
/// Names what was waited for.
pub async fn until<T>(what: &str, bound: Duration, mut look: impl AsyncFnMut() -> Result<Option<T>>) -> Result<T> {
    let deadline = Instant::now() + bound;
    loop {
        if let Some(found) = look().await.with_context(|| format!("while waiting until {what}"))? {
            return Ok(found);
        }
        if Instant::now() >= deadline {
            bail!("waited {bound:?} until {what}, and it did not come");
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// A number that a variable of the environment changes, for slow machines and long nights.
///
/// # Errors
/// The variable holds no such number.
pub fn number<T: FromStr>(variable: &str, usual: T) -> Result<T> {
    match std::env::var(variable) {
        Ok(text) => text.parse().ok().with_context(|| format!("{variable}={text}: expected a whole number")),
        Err(_) => Ok(usual),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_comes_is_answered_and_what_does_not_is_named() {
        let mut looks = 0;
        let third = async || {
            looks += 1;
            Ok((looks == 3).then_some(looks))
        };
        assert_eq!(until("the third look", Duration::from_secs(5), third).await.unwrap(), 3);
        let never = until::<()>("the moon falls", Duration::from_millis(1), async || Ok(None)).await.unwrap_err();
        assert!(never.to_string().contains("the moon falls"), "{never}");
    }
}

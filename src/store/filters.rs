//! IP filters: the addresses that a kind of request may come from.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::Serialize;
use sqlx::{FromRow, SqliteConnection, query, query_as, query_scalar};

use super::{
    ChangeError, Named, Store, StoreError, now,
    policies::{Shape, require_unnamed},
};

/// A filter.
#[derive(Debug, Clone, PartialEq, Eq, FromRow, Serialize)]
pub struct IpFilter {
    /// Its name; unique.
    pub name: String,
    /// A network (`192.168.1.0/24`, `fd00::/8`), one address, or a pattern (`10.**`, `255.*.*.*`).
    pub address: String,
}

/// Addresses, as they are written in a filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pattern {
    /// A network (RFC 4632).
    Network(IpNet),
    /// The four numbers of an IPv4 address; `None` stands for any number.
    Parts([Option<u8>; 4]),
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// A sentence that says what can be written.
    pub fn parse(text: &str) -> Result<Self, String> {
        if let Ok(network) = text.parse::<IpNet>() {
            return Ok(Self::Network(network.trunc()));
        }
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self::Network(address.into()));
        }
        parts(text).map(Self::Parts).ok_or_else(|| {
            format!("{text:?} is no address: write a network such as 192.168.1.0/24 or fd00::/8, an address, or a pattern such as 10.** or 255.*.*.*")
        })
    }

    /// Whether an address matches. An IPv4 address in IPv6 form is taken as IPv4.
    #[must_use]
    pub fn matches(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        match self {
            Self::Network(network) => network.contains(&address),
            Self::Parts(parts) => match address {
                IpAddr::V4(address) => parts.iter().zip(address.octets()).all(|(part, octet)| part.is_none_or(|part| part == octet)),
                IpAddr::V6(_) => false,
            },
        }
    }
}

/// Reads `10.**` or `255.*.*.*`: `*` is any number, and `**` at the end stands for all numbers that are left.
fn parts(text: &str) -> Option<[Option<u8>; 4]> {
    let mut parts = [None; 4];
    let mut given = 0;
    for item in text.split('.') {
        if item == "**" {
            return text.ends_with("**").then_some(parts);
        }
        *parts.get_mut(given)? = if item == "*" { None } else { Some(item.parse().ok()?) };
        given += 1;
    }
    (given == 4).then_some(parts)
}

const KIND: &str = "IP filter";

impl Store {
    /// All filters, by name.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn filter_list(&self) -> Result<Vec<IpFilter>, StoreError> {
        Ok(query_as("SELECT name, address FROM ip_filter ORDER BY name").fetch_all(&self.pool).await?)
    }

    /// Makes a filter, or changes it.
    ///
    /// # Errors
    /// [`ChangeError::Invalid`] for a name or an address that is malformed, [`ChangeError::Store`]
    pub async fn filter_put(&self, filter: &IpFilter) -> Result<(), ChangeError> {
        Named::IpFilter.check(&filter.name)?;
        Pattern::parse(&filter.address).map_err(ChangeError::Invalid)?;
        query(
            "INSERT INTO ip_filter (name, address, changed) VALUES ($1, $2, $3)
             ON CONFLICT (name) DO UPDATE SET address = $2, changed = $3",
        )
        .bind(&filter.name)
        .bind(&filter.address)
        .bind(now())
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Removes a filter, unless a policy names it: without it the policy would let nobody in.
    ///
    /// # Errors
    /// [`ChangeError`]
    pub async fn filter_remove(&self, name: &str) -> Result<(), ChangeError> {
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        require(&mut transaction, name).await?;
        require_unnamed(&mut transaction, Shape::IpFilter, name).await?;
        query("DELETE FROM ip_filter WHERE name = $1").bind(name).execute(&mut *transaction).await?;
        Ok(transaction.commit().await?)
    }
}

/// Checks that there is such a filter.
pub(super) async fn require(connection: &mut SqliteConnection, name: &str) -> Result<(), ChangeError> {
    let found = query_scalar("SELECT EXISTS (SELECT 1 FROM ip_filter WHERE name = $1)");
    if found.bind(name).fetch_one(connection).await? { Ok(()) } else { Err(ChangeError::unknown(KIND, name)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_what_they_name() {
        for (pattern, inside, outside) in [
            ("192.168.1.0/24", "192.168.1.77", "192.168.2.1"),
            ("10.**", "10.200.3.4", "11.0.0.1"),
            ("255.*.*.*", "255.1.2.3", "254.1.2.3"),
            ("10.*.7.*", "10.9.7.1", "10.9.8.1"),
            ("127.0.0.1", "::ffff:127.0.0.1", "127.0.0.2"),
            ("fd00::/8", "fd12::1", "fe80::1"),
            ("**", "1.2.3.4", "::1"),
        ] {
            let pattern = Pattern::parse(pattern).unwrap();
            assert!(pattern.matches(inside.parse().unwrap()) && !pattern.matches(outside.parse().unwrap()), "{pattern:?}");
        }
        for wrong in ["", "10.*", "1.2.3.4.5", "http://10.0.0.1", "10.**.1.2", "256.1.1.1", "10.0.0.0/33"] {
            assert!(Pattern::parse(wrong).is_err(), "{wrong}");
        }
    }
}

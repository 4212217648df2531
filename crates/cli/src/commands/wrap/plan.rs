//! What a child gets: variables, arguments, and which upstreams its proxy needs. Pure but for reading the user's own configuration.

use std::net::SocketAddr;

use serde_json::Value;

use super::recipe::{Carrier, Recipe, Route, Surroundings, Then, Wire};

/// What to do with an agent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Plan {
    /// Run it as it is, and say why.
    Direct(String),
    /// Lead it through a proxy with these upstreams.
    Through(Through),
}

/// How an agent goes through a proxy.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Through {
    /// Upstream for Anthropic requests, where it is not the configured one.
    pub(crate) anthropic: Option<String>,
    /// Upstream for OpenAI requests, where it is not the configured one.
    pub(crate) openai: Option<String>,
    /// Upstream for Gemini requests, where it is not the configured one.
    pub(crate) gemini: Option<String>,
    told: Vec<Told>,
    keeps: Vec<(&'static str, &'static str)>,
    arguments: Vec<&'static str>,
}

/// One thing the child is told, as soon as the address is known.
#[derive(Debug, PartialEq, Eq)]
struct Told {
    how: How,
    tail: &'static str,
}

#[derive(Debug, PartialEq, Eq)]
enum How {
    Variable(&'static str),
    Argument(&'static str),
    Option(&'static str, &'static str),
    Json { variable: &'static str, path: &'static [&'static str] },
}

/// Variables and arguments of a child.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Child {
    /// Variables that are set.
    pub(crate) variables: Vec<(String, String)>,
    /// Arguments before the user's.
    pub(crate) arguments: Vec<String>,
}

/// Decides. `listen` is the configured address of the proxy: where the user's configuration names it, that was written by `--persist`.
pub(crate) fn plan(
    recipe: &Recipe,
    arguments: &[String],
    surroundings: &Surroundings<'_>,
    listen: Option<SocketAddr>,
) -> Plan {
    if recipe.routes.is_empty() {
        return Plan::Direct(recipe.note.to_owned());
    }
    if let Some(why) = recipe.obstacle(surroundings) {
        return Plan::Direct(why.to_owned());
    }
    let mut through = Through::default();
    let mut chained = false;
    let fits = |route: &&Route| route.when.as_ref().is_none_or(|when| surroundings.holds(when));
    for route in recipe.routes.iter().filter(fits) {
        match through.add(route, arguments, surroundings, listen) {
            Ok(own) => chained |= own,
            Err(why) => return Plan::Direct(why),
        }
    }
    // What a foreign address switches off may not exist behind the user's own one: only then is it left alone.
    if !chained {
        through.keeps = recipe.keeps.to_vec();
    }
    through.arguments =
        recipe.arguments.iter().copied().filter(|known| !arguments.iter().any(|a| a == known)).collect();
    Plan::Through(through)
}

impl Through {
    /// Adds a route; says whether the user had an address of their own.
    fn add(
        &mut self,
        route: &Route,
        arguments: &[String],
        surroundings: &Surroundings<'_>,
        listen: Option<SocketAddr>,
    ) -> Result<bool, String> {
        let own = route.own.iter().find_map(|own| Some((surroundings.said(&own.place)?, own.then)));
        let mut carriers = route.carriers.to_vec();
        if let Some((_, Then::ChainBy(stronger))) = own {
            carriers.push(stronger);
        }
        let theirs = own.map(|(url, _)| url).filter(|url| !is_at(url, listen));
        let (upstream, tail) = match &theirs {
            Some(url) => split(url, route.tail)?,
            None => (route.usual.map(str::to_owned), route.tail),
        };
        let slot = match route.wire {
            Wire::Anthropic => &mut self.anthropic,
            Wire::OpenAi => &mut self.openai,
            Wire::Gemini => &mut self.gemini,
        };
        if upstream.is_some() {
            *slot = upstream;
        }
        for carrier in carriers {
            let how = How::of(carrier);
            if let Some(said) = how.said_in(arguments) {
                return Err(format!("your argument {said:?} says already where requests go"));
            }
            if let How::Json { variable, .. } = how {
                let given = (surroundings.variable)(variable);
                if given.is_some_and(|text| !serde_json::from_str(&text).is_ok_and(|value: Value| value.is_object())) {
                    return Err(format!("{variable} is set and is no JSON object"));
                }
            }
            self.told.push(Told { how, tail });
        }
        Ok(theirs.is_some())
    }

    /// What the child gets when the proxy listens at this address. `name` is a path that says who the child is, or nothing.
    pub(crate) fn child(&self, proxy: SocketAddr, name: &str, variable: &dyn Fn(&str) -> Option<String>) -> Child {
        let mut child = Child::default();
        for told in &self.told {
            let url = format!("http://{proxy}{name}{}", told.tail);
            match told.how {
                How::Variable(name) => child.variables.push((name.to_owned(), url)),
                How::Argument(text) => child.arguments.push(text.replace("{url}", &url)),
                How::Option(flag, text) => {
                    child.arguments.extend([flag.to_owned(), text.replace("{url}", &url)]);
                }
                How::Json { variable: name, path } => {
                    let set = child.variables.iter().position(|(known, _)| known == name);
                    let text = set.map(|at| child.variables.remove(at).1).or_else(|| variable(name));
                    child.variables.push((name.to_owned(), with(text.as_deref().unwrap_or("{}"), path, url)));
                }
            }
        }
        let unset = |(name, _): &&(&str, &str)| variable(name).is_none();
        child.variables.extend(self.keeps.iter().filter(unset).map(|(n, v)| ((*n).to_owned(), (*v).to_owned())));
        child.arguments.extend(self.arguments.iter().map(|text| (*text).to_owned()));
        child
    }
}

impl How {
    fn of(carrier: Carrier) -> Self {
        match carrier {
            Carrier::Variable(name) => Self::Variable(name),
            Carrier::Argument(text) => Self::Argument(text),
            Carrier::Option(flag, text) => Self::Option(flag, text),
            Carrier::JsonVariable(variable, path) => Self::Json { variable, path },
        }
    }

    /// The user's own argument that says the same thing.
    fn said_in<'a>(&self, arguments: &'a [String]) -> Option<&'a str> {
        let key = match self {
            Self::Argument(text) => text.split('=').next()?,
            Self::Option("--settings", _) => "--settings",
            Self::Option(_, text) => text.split('=').next()?,
            Self::Variable(_) | Self::Json { .. } => return None,
        };
        arguments.iter().map(String::as_str).find(|argument| argument.starts_with(key))
    }
}

/// Splits the user's address into an upstream for the proxy and what the child is to put after the proxy's address.
fn split(url: &str, tail: &'static str) -> Result<(Option<String>, &'static str), String> {
    let plain = url.trim().trim_end_matches('/');
    let http = plain.starts_with("http://") || plain.starts_with("https://");
    if !http || plain.contains(['?', '#', ' ', '$', '{']) {
        return Err(format!("the address {url:?} that you have set is none the proxy could send on to"));
    }
    Ok(match plain.strip_suffix(tail) {
        Some(base) => (Some(base.to_owned()), tail),
        // No version in it: the agent puts the rest of the path straight after it, and so does the proxy.
        None => (Some(plain.to_owned()), ""),
    })
}

/// Whether an address is that of our proxy.
fn is_at(url: &str, listen: Option<SocketAddr>) -> bool {
    let Some(listen) = listen else { return false };
    let Some(rest) = url.strip_prefix("http://") else { return false };
    let authority = rest.split('/').next().unwrap_or_default();
    let port = format!(":{}", listen.port());
    let host = authority.strip_suffix(&port);
    host.is_some_and(|host| host == "localhost" || host == "[::1]" || listen.ip().to_string() == host)
}

/// A JSON text with a string at a path.
fn with(text: &str, path: &[&str], url: String) -> String {
    let mut value: Value = serde_json::from_str(text).unwrap_or_else(|_| Value::Object(serde_json::Map::new()));
    let mut place = &mut value;
    for name in path {
        if !place.is_object() {
            *place = Value::Object(serde_json::Map::new());
        }
        place = &mut place[*name];
    }
    *place = Value::String(url);
    value.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_split_where_the_agent_puts_its_version() {
        let check = |url, tail, upstream: &str, left| {
            assert_eq!(split(url, tail).unwrap(), (Some(upstream.to_owned()), left), "{url}");
        };
        check("https://gw.example/openai/v1/", "/v1", "https://gw.example/openai", "/v1");
        check("https://gw.example/v4", "/v1", "https://gw.example/v4", "");
        check("https://gw.example/anthropic", "", "https://gw.example/anthropic", "");
        for odd in ["gw.example", "https://gw/?key=1", "${GATEWAY}", "unix:/x"] {
            assert!(split(odd, "").is_err(), "{odd}");
        }
    }

    #[test]
    fn our_own_address_is_known() {
        let listen = "127.0.0.1:8787".parse().ok();
        assert!(is_at("http://127.0.0.1:8787/v1", listen) && is_at("http://localhost:8787", listen));
        assert!(!is_at("http://127.0.0.1:8788", listen) && !is_at("https://gw:8787", listen));
    }

    #[test]
    fn inline_json_is_merged() {
        let merged = with(r#"{"a":1,"provider":{"x":2}}"#, &["provider", "y", "url"], "u".to_owned());
        assert_eq!(merged, r#"{"a":1,"provider":{"x":2,"y":{"url":"u"}}}"#);
    }
}

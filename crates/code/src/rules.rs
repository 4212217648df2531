//! What the nodes of a grammar mean to us: read from a data file, one line for each kind of node.
//!
//! ```text
//! mark      #                           begins a comment that ends with its line; gap marks stand in one
//! comment   KIND
//! docstring KIND INNER                  a statement that is nothing but a string, first in a body or file
//! importer  NAME                        a member whose value is a call of this function is an import
//! import    KIND [prunable]             prunable: an import that nothing names has no other use
//! attribute KIND                        stands before a definition and belongs to it
//! wrapper   KIND                        the definition inside begins where this begins
//! function  KIND [body=B] [name=F]      a definition; what its body declares is local
//! type      KIND [body=B] [name=F]      a definition; what its body declares are its members, also in a function
//! member    KIND [value=F] [name=F]     a field, constant or alias, unless it is a function's own
//! closure   KIND [body=B]               a function without a name of its own
//! binding   KIND value=F name=F         gives a closure a name
//! ```
//!
//! `B` is a field of the node, or the kind of a child, with `|` between alternatives; `F` is a field. A body is called `body` and a name
//! `name` where nothing else is said; with `body=` all of it says what it is. A member whose value is a closure is a function.

use tree_sitter::{Language, Node};

/// What a node of one kind is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Nothing that matters here.
    None,
    Comment,
    /// A statement whose only child is of this kind.
    Docstring(u16),
    Import {
        prunable: bool,
    },
    Attribute,
    Wrapper,
    Function(Parts),
    Type(Parts),
    Member(Parts),
    Closure(Parts),
    Binding(Parts),
}

/// Where a node keeps its body (or value) and its name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Parts {
    /// Fields, then kinds of children, of which the first that is there is the body or the value; 0 is none.
    body_fields: [u16; 2],
    body_kinds: [u16; 2],
    name_field: u16,
    declarator_field: u16,
}

impl Parts {
    /// The part that a skeleton leaves out.
    pub(crate) fn body<'t>(&self, node: Node<'t>) -> Option<Node<'t>> {
        let by_field = |field: &u16| if *field == 0 { None } else { node.child_by_field_id(*field) };
        if let Some(body) = self.body_fields.iter().find_map(by_field) {
            return Some(body);
        }
        if self.body_kinds == [0, 0] {
            return None;
        }
        let mut cursor = node.walk();
        node.named_children(&mut cursor)
            .find(|child| child.kind_id() != 0 && self.body_kinds.contains(&child.kind_id()))
    }

    /// The node that holds the name. Declarators of C lead to it through pointers and parameter lists.
    pub(crate) fn name<'t>(&self, node: Node<'t>) -> Option<Node<'t>> {
        let field = |node: Node<'t>, field: u16| if field == 0 { None } else { node.child_by_field_id(field) };
        let mut name = field(node, self.name_field).or_else(|| field(node, self.declarator_field))?;
        while let Some(inner) = field(name, self.declarator_field) {
            name = inner;
        }
        Some(name)
    }
}

/// The roles of all kinds of a grammar.
pub(crate) struct Rules {
    roles: Vec<Role>,
    /// What begins a comment.
    pub(crate) mark: &'static str,
    /// The function that imports, in languages where importing is a call.
    importer: Option<&'static str>,
}

impl Rules {
    /// Reads a data file. What the grammar does not know has no effect; a test of each file sees to it that there is no such line.
    pub(crate) fn read(data: &'static str, grammar: &Language) -> Self {
        let mut rules = Self { roles: vec![Role::None; grammar.node_kind_count()], mark: "//", importer: None };
        for mut words in lines(data) {
            let (Some(role), Some(kind)) = (words.next(), words.next()) else { continue };
            if role == "mark" {
                rules.mark = kind;
                continue;
            }
            if role == "importer" {
                rules.importer = Some(kind);
                continue;
            }
            let options: Vec<&str> = words.collect();
            let Some(role) = role_of(role, &options, grammar) else { continue };
            for id in kinds(kind, grammar) {
                rules.roles[usize::from(id)] = role;
            }
        }
        rules
    }

    /// What a node is.
    pub(crate) fn role(&self, node: &Node<'_>) -> Role {
        self.roles.get(usize::from(node.kind_id())).copied().unwrap_or(Role::None)
    }

    /// Whether a value is what was imported, as it is or wrapped by one more call.
    pub(crate) fn imports(&self, value: &str) -> bool {
        let Some(importer) = self.importer else { return false };
        let calls = |value: &str| value.strip_prefix(importer).is_some_and(|rest| rest.starts_with('('));
        calls(value) || value.split_once('(').is_some_and(|(_, inner)| calls(inner))
    }

    #[cfg(test)]
    pub(crate) fn unknown_names(data: &'static str, grammar: &Language) -> Vec<String> {
        let mut unknown = Vec::new();
        for mut words in lines(data) {
            let (Some(role), Some(kind)) = (words.next(), words.next()) else {
                unknown.push("a line of one word".to_owned());
                continue;
            };
            if matches!(role, "mark" | "importer") {
                continue;
            }
            let options: Vec<&str> = words.collect();
            if role_of(role, &options, grammar).is_none() || kinds(kind, grammar).next().is_none() {
                unknown.push(format!("{role} {kind}"));
            }
            for name in options
                .iter()
                .filter_map(|option| option.split_once('='))
                .flat_map(|(_, names)| names.split('|'))
                .filter(|name| !name.is_empty())
            {
                if grammar.field_id_for_name(name).is_none() && kinds(name, grammar).next().is_none() {
                    unknown.push(format!("{role} {kind} {name}"));
                }
            }
        }
        unknown
    }
}

fn lines(data: &'static str) -> impl Iterator<Item = std::str::SplitWhitespace<'static>> {
    // `mark #` is the one line in which `#` does not begin a comment.
    data.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty()).map(str::split_whitespace)
}

/// The ids of a named kind; aliases may give one name several.
fn kinds<'a>(name: &'a str, grammar: &'a Language) -> impl Iterator<Item = u16> + 'a {
    let ids = (0..grammar.node_kind_count()).filter_map(|id| u16::try_from(id).ok());
    ids.filter(move |id| grammar.node_kind_is_named(*id) && grammar.node_kind_for_id(*id) == Some(name))
}

fn role_of(role: &str, options: &[&str], grammar: &Language) -> Option<Role> {
    let option = |name: &str| options.iter().find_map(|option| option.strip_prefix(name)?.strip_prefix('='));
    let field = |name: &str| grammar.field_id_for_name(name).map_or(0, std::num::NonZeroU16::get);
    let parts = |body: &str| {
        let mut parts = Parts {
            name_field: field(option("name").unwrap_or("name")),
            declarator_field: field("declarator"),
            ..Parts::default()
        };
        for (place, name) in body.split('|').filter(|name| !name.is_empty()).take(2).enumerate() {
            parts.body_fields[place] = field(name);
            parts.body_kinds[place] = kinds(name, grammar).next().unwrap_or_default();
        }
        parts
    };
    let body = || parts(option("body").unwrap_or("body"));
    Some(match role {
        "comment" => Role::Comment,
        "docstring" => Role::Docstring(kinds(options.first()?, grammar).next()?),
        "import" => Role::Import { prunable: options.contains(&"prunable") },
        "attribute" => Role::Attribute,
        "wrapper" => Role::Wrapper,
        "function" => Role::Function(body()),
        "type" => Role::Type(body()),
        "closure" => Role::Closure(body()),
        "member" => Role::Member(parts(option("value").unwrap_or_default())),
        "binding" => Role::Binding(parts(option("value")?)),
        _ => return None,
    })
}

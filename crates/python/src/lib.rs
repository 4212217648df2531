//! The compiled half of the Python package. Everything here turns values of Python into calls of `headroom_embed` and back; whatever takes longer
//! than that runs without the interpreter's lock. What Python code calls is in `headroom/*.py`.

use headroom_embed::{Call, Conversation, Error, Options, ProxyOptions, Selection, Targets, TextResult};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyString, PyType};

/// The exceptions are classes of Python, because some have two bases.
fn raise(py: Python<'_>, error: &Error) -> PyErr {
    static MODULE: PyOnceLock<Py<PyModule>> = PyOnceLock::new();
    let class = MODULE
        .get_or_try_init(py, || py.import("headroom._errors").map(Bound::unbind))
        .and_then(|module| module.bind(py).getattr(error.name()))
        .and_then(|class| Ok(class.cast_into::<PyType>()?));
    match class {
        Ok(class) => PyErr::from_type(class, error.to_string()),
        Err(import) => import,
    }
}

/// Does work without the interpreter's lock.
fn unlocked<T: Send>(py: Python<'_>, work: impl Send + FnOnce() -> Result<T, Error>) -> PyResult<T> {
    py.detach(work).map_err(|error| raise(py, &error))
}

/// A run of units that a compressed text does not show.
#[pyclass(frozen, get_all, module = "headroom")]
struct Omission {
    /// `line`, `row`, `key`, `sentence` or `byte`.
    unit: &'static str,
    /// The first unit left out, from 1.
    first: usize,
    /// The last unit left out.
    last: usize,
    /// How many are left out.
    count: usize,
    /// How many there were.
    total: usize,
}

#[pymethods]
impl Omission {
    fn __repr__(&self) -> String {
        format!("<Omission {}s {}-{} of {}>", self.unit, self.first, self.last, self.total)
    }
}

/// A text and what became of it.
#[pyclass(frozen, get_all, module = "headroom")]
struct CompressResult {
    /// The text to read: shorter, or the one that was given.
    text: Py<PyString>,
    /// What it was found to be.
    kind: String,
    /// The compressor that was asked.
    compressor: Option<&'static str>,
    /// Whether the text holds everything that the original holds.
    exact: bool,
    /// Tokens of the original.
    tokens_before: usize,
    /// Tokens of the text.
    tokens_after: usize,
    /// Where the original is, when something was left out.
    handle: Option<String>,
    /// What was left out.
    omissions: Vec<Py<Omission>>,
    /// Why, as a stable code.
    reason: &'static str,
}

#[pymethods]
impl CompressResult {
    fn __repr__(&self) -> String {
        let exact = if self.exact { "exact" } else { "with omissions" };
        format!("<CompressResult {} {} -> {} tokens, {exact}>", self.kind, self.tokens_before, self.tokens_after)
    }
}

impl CompressResult {
    /// `given` is the text that was compressed, which is what comes back where nothing was gained.
    fn new(py: Python<'_>, given: &Bound<'_, PyString>, result: &TextResult) -> PyResult<Self> {
        let omission = |omission: &headroom_embed::Omission| {
            let omission = Omission {
                unit: omission.unit().name(1),
                first: *omission.range().start(),
                last: *omission.range().end(),
                count: omission.count(),
                total: omission.total(),
            };
            Py::new(py, omission)
        };
        let unchanged = result.text == given.to_str()?;
        let text = if unchanged { given.clone() } else { PyString::new(py, &result.text) };
        Ok(Self {
            text: text.unbind(),
            kind: result.kind.to_string(),
            compressor: result.compressor,
            exact: result.exact,
            tokens_before: result.tokens_before,
            tokens_after: result.tokens_after,
            handle: result.handle.map(|handle| handle.to_string()),
            omissions: result.omissions.iter().map(omission).collect::<PyResult<_>>()?,
            reason: result.reason.code(),
        })
    }
}

/// One text. Without a library nothing is left out.
#[pyfunction]
#[expect(clippy::too_many_arguments, reason = "they are the keyword arguments of the Python function")]
fn compress(
    py: Python<'_>,
    library: Option<&Library>,
    text: &Bound<'_, PyString>,
    kind: &str,
    level: &str,
    query: Option<&str>,
    tool: Option<&str>,
    command: Option<&str>,
    path: Option<&str>,
    model: Option<&str>,
) -> PyResult<CompressResult> {
    let call = Call { kind: Some(kind), level: Some(level), query, tool, command, path, model };
    let given = text.to_str()?;
    let result = unlocked(py, || match library {
        Some(library) => library.headroom.compress(given, &call),
        None => headroom_embed::compress(given, &call),
    })?;
    CompressResult::new(py, text, &result)
}

/// Settings that a library and a proxy share, in the order of the arguments.
type Settings =
    (Option<String>, Option<String>, Option<String>, Option<String>, Option<String>, Option<String>, Option<bool>);

fn options((store, tenant, project, compression_config, policy, retrieval, ccr_enabled): Settings) -> Options {
    Options { store, tenant, project, compression_config, policy, retrieval, ccr_enabled, ..Options::default() }
}

/// The engine on a store.
#[pyclass(frozen)]
struct Library {
    headroom: headroom_embed::Headroom,
}

#[pymethods]
impl Library {
    #[new]
    fn new(py: Python<'_>, settings: Settings) -> PyResult<Self> {
        let options = options(settings);
        let headroom = unlocked(py, || headroom_embed::Headroom::open(&options))?;
        Ok(Self { headroom })
    }

    /// A conversation's parts as JSON in, and its messages, tools, whether the tool is offered, id and tokens out.
    fn prepare(
        &self,
        py: Python<'_>,
        dialect: &str,
        messages: &str,
        system: Option<&str>,
        tools: Option<&str>,
        model: Option<&str>,
    ) -> PyResult<(String, Option<String>, bool, String, u64, u64)> {
        let conversation = Conversation { dialect, messages, system, tools, model };
        let prepared = unlocked(py, || self.headroom.prepare(&conversation))?;
        Ok((
            prepared.messages,
            prepared.tools,
            prepared.tool_offered,
            prepared.id,
            prepared.tokens_before,
            prepared.tokens_after,
        ))
    }

    fn retrieve(
        &self,
        py: Python<'_>,
        handle: &str,
        lines: Option<(usize, usize)>,
        pattern: Option<String>,
        json_path: Option<String>,
    ) -> PyResult<String> {
        let selection = Selection { lines, pattern, json_path };
        unlocked(py, || self.headroom.retrieve(handle, &selection))
    }

    fn answer(&self, py: Python<'_>, arguments: &str) -> PyResult<String> {
        unlocked(py, || self.headroom.answer(arguments))
    }

    fn explain(&self, py: Python<'_>, id: &str) -> PyResult<String> {
        unlocked(py, || self.headroom.explain(id))
    }

    /// Base address and token of the way through this library to an upstream.
    fn loopback(&self, py: Python<'_>, upstream: &str) -> PyResult<(String, String)> {
        let address = unlocked(py, || self.headroom.loopback(upstream))?;
        Ok((address.url, address.token))
    }

    fn close(&self, py: Python<'_>) {
        py.detach(|| self.headroom.close());
    }
}

/// `headroom proxy` inside this process.
#[pyclass(frozen)]
struct Proxy {
    proxy: headroom_embed::Proxy,
}

#[pymethods]
impl Proxy {
    /// `target` is one address, or those for Anthropic, OpenAI and Gemini.
    #[new]
    #[allow(clippy::too_many_arguments, reason = "those of the class in Python")]
    fn new(
        py: Python<'_>,
        settings: Settings,
        target: Option<&str>,
        targets: (Option<String>, Option<String>, Option<String>),
        host: Option<String>,
        port: Option<u16>,
        token: Option<String>,
        align: Option<String>,
    ) -> PyResult<Self> {
        let (anthropic, openai, gemini) = targets;
        let targets = target.map_or(Targets { anthropic, openai, gemini }, Targets::all);
        let options = ProxyOptions { options: options(settings), targets, host, port, token, align };
        let proxy = unlocked(py, || headroom_embed::Proxy::new(&options))?;
        Ok(Self { proxy })
    }

    fn start(&self, py: Python<'_>) -> PyResult<()> {
        unlocked(py, || self.proxy.start())
    }

    fn stop(&self, py: Python<'_>) {
        py.detach(|| self.proxy.stop());
    }

    fn url(&self, py: Python<'_>) -> PyResult<String> {
        unlocked(py, || self.proxy.url())
    }

    fn stats(&self, py: Python<'_>, hours: Option<u64>) -> PyResult<String> {
        unlocked(py, || self.proxy.stats(hours))
    }
}

/// The known name that was probably meant.
#[pyfunction]
fn nearest(given: &str, known: Vec<String>) -> Option<String> {
    headroom_embed::nearest(given, known.iter().map(String::as_str)).map(str::to_owned)
}

/// Seconds that each of `rounds` calls of [`compress`] takes when Rust makes them: what the tests compare calls from Python with.
#[pyfunction]
fn seconds_in_rust(py: Python<'_>, text: &str, rounds: usize) -> PyResult<Vec<f64>> {
    let call = Call { kind: Some("auto"), level: Some("standard"), ..Call::default() };
    let timed = |_| {
        let begun = std::time::Instant::now();
        headroom_embed::compress(text, &call).map(|result| {
            // What is kept of a result is not measured, as it is not in Python.
            let seconds = begun.elapsed().as_secs_f64();
            drop(result);
            seconds
        })
    };
    unlocked(py, || (0..rounds).map(timed).collect())
}

/// Reads `FIRST-LAST` or one number.
#[pyfunction]
fn parse_lines(lines: &str) -> Option<(usize, usize)> {
    headroom_embed::parse_line_range(lines)
}

/// What `headroom/*.py` imports.
#[pymodule]
mod _native {
    #[pymodule_export]
    use super::{CompressResult, Library, Omission, Proxy, compress, nearest, parse_lines, seconds_in_rust};
}

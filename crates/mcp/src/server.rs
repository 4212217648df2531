//! The server: what MCP asks of one, around the tools.

use std::path::PathBuf;
use std::sync::Arc;

use headroom::memory::{Repository, Witness, agent_of_client};
use headroom::{Engine, Handle, Kinds};
use headroom_store::Scope;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, Implementation, ListResourceTemplatesResult,
    ListResourcesResult, ListToolsResult, PaginatedRequestParams, ProgressNotificationParam, ReadResourceRequestParams,
    ReadResourceResponse, ReadResourceResult, Resource, ResourceContents, ResourceTemplate, ServerCapabilities,
    ServerConfig, Tool, ToolAnnotations,
};
use rmcp::service::{NotificationContext, RequestContext};
use rmcp::{ErrorData, RoleServer, ServerHandler, ServiceExt};
use tokio::sync::Mutex;

use crate::ServeError;
use crate::roots::Roots;
use crate::tools::{Effect, Output, TOOLS, ToolSpec, Workplace};

/// Addresses of originals begin with this; the handle follows.
const ORIGINAL: &str = "headroom://original/";

/// One client's server.
pub struct Server {
    engine: Engine,
    scope: Scope,
    kinds: Kinds,
    /// What may be read when the client names no roots.
    directories: Vec<PathBuf>,
    /// A repository that is all of this directory is no workspace.
    home: Option<PathBuf>,
    /// What the client said may be read, once it was asked.
    roots: Mutex<Option<Arc<Roots>>>,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("directories", &self.directories).finish_non_exhaustive()
    }
}

impl Server {
    /// A server over an engine. Clients that name no roots may have the files below `directories` read.
    pub fn new(engine: Engine, scope: Scope, directories: Vec<PathBuf>) -> Self {
        Self { engine, scope, kinds: Kinds::DEFAULT, directories, home: None, roots: Mutex::new(None) }
    }

    /// The same server for a user whose home directory is known: a repository that is all of it is no workspace.
    #[must_use]
    pub fn at_home(mut self, home: Option<PathBuf>) -> Self {
        self.home = home;
        self
    }

    /// The same server with a user's settings by kind of text.
    #[must_use]
    pub fn with_kinds(mut self, kinds: Kinds) -> Self {
        self.kinds = kinds;
        self
    }

    /// What a call works with. Blocks on a few small files.
    fn workplace(&self, roots: Arc<Roots>, client: &str) -> Workplace {
        // The first of the client's directories is what it works on; with more than that, which one is meant is not asked.
        let first = roots.directories().first();
        let repository = first.and_then(|directory| Repository::at(directory, self.home.as_deref()));
        let agent = agent_of_client(client);
        let (engine, scope) = (self.engine.clone(), self.scope.clone());
        let witness = repository.map(|Repository { workspace, top }| Witness {
            workspace,
            top: Some(top),
            agent: agent.clone(),
            session: String::new(),
        });
        let memory = witness.as_ref().map(|witness| engine.memory(&scope, witness.workspace, witness.top.clone()));
        Workplace { engine, scope, kinds: self.kinds.clone(), roots, agent, memory, witness }
    }

    /// What may be read: the client's roots, if it has any to name, or what the server was started with.
    async fn roots(&self, context: &RequestContext<RoleServer>) -> Arc<Roots> {
        let mut known = self.roots.lock().await;
        if let Some(roots) = &*known {
            return Arc::clone(roots);
        }
        let roots = Arc::new(self.ask_for_roots(context).await);
        *known = Some(Arc::clone(&roots));
        roots
    }

    #[allow(deprecated, reason = "clients that speak the versions with roots expect them to be respected")]
    async fn ask_for_roots(&self, context: &RequestContext<RoleServer>) -> Roots {
        let named = context.peer.peer_info().is_some_and(|client| client.capabilities.roots.is_some());
        if named {
            match context.peer.list_roots().await {
                Ok(listed) => return Roots::of_uris(listed.roots.iter().map(|root| root.uri.as_str())),
                Err(error) => tracing::warn!(%error, "the client did not say which files may be read; none are"),
            }
            return Roots::default();
        }
        Roots::of(self.directories.iter().cloned())
    }

    async fn call(
        &self,
        tool: &'static ToolSpec,
        request: CallToolRequestParams,
        context: &RequestContext<RoleServer>,
    ) -> CallToolResult {
        // The answer says that a call is done. A last step would come in one piece with it, and the official TypeScript client, which has forgotten
        // the call by then, takes that for an error.
        Progress::of(context).tell(0.0, "started").await;
        let client = context.peer.peer_info().map(|client| client.client_info.name.clone()).unwrap_or_default();
        let workplace = self.workplace(self.roots(context).await, &client);
        let work = tokio::task::spawn_blocking(move || {
            let given = request.arguments.unwrap_or_default();
            match workplace.refusal(&given).filter(|_| tool.effect != Effect::ReadsMarks) {
                Some(refusal) => Err(refusal),
                None => (tool.run)(&workplace, given),
            }
        });
        let outcome = tokio::select! {
            outcome = work => outcome,
            // What runs cannot be stopped half-way, and is bounded; its result is nobody's.
            () = context.ct.cancelled() => return failure("The call was cancelled."),
        };
        match outcome {
            Ok(Ok(output)) => success(output),
            Ok(Err(sentence)) => failure(&sentence),
            Err(_) => failure("Headroom failed at this; read it without."),
        }
    }
}

fn success(output: Output) -> CallToolResult {
    let mut content = vec![ContentBlock::text(output.text)];
    if let Some(rest) = output.rest {
        let link = Resource::new(format!("{ORIGINAL}{}", rest.handle), rest.handle.to_string())
            .with_mime_type("text/plain")
            .with_size(rest.bytes);
        content.push(ContentBlock::resource_link(link));
    }
    CallToolResult::success(content)
}

fn failure(sentence: &str) -> CallToolResult {
    CallToolResult::error(vec![ContentBlock::text(sentence)])
}

/// Tells a client how far a call is, if it asked to be told.
struct Progress<'c> {
    context: &'c RequestContext<RoleServer>,
}

impl<'c> Progress<'c> {
    const fn of(context: &'c RequestContext<RoleServer>) -> Self {
        Self { context }
    }

    async fn tell(&self, done: f64, what: &str) {
        let Some(token) = self.context.meta.get_progress_token() else { return };
        let told = ProgressNotificationParam::new(token, done).with_total(1.0).with_message(what);
        // A client that no longer listens will say so when it gets its answer.
        let _ = self.context.peer.notify_progress(told).await;
    }
}

/// A tool as clients are told of it.
pub(crate) fn tool(spec: &ToolSpec) -> Tool {
    // The schemas are part of this crate and tested to be objects; an empty one still lets the tool be called.
    let schema: serde_json::Map<_, _> = serde_json::from_str(spec.schema).unwrap_or_default();
    Tool::new_with_raw(spec.name, Some(spec.description.into()), Arc::new(schema))
        .with_title(spec.title)
        .with_annotations(ToolAnnotations::new().read_only(spec.effect != Effect::Writes).open_world(false))
}

impl ServerHandler for Server {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder().enable_tools().enable_resources().build();
        ServerConfig::new(capabilities)
            .with_server_info(Implementation::new("headroom", env!("CARGO_PKG_VERSION")).with_title("Headroom"))
    }

    async fn list_tools(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(TOOLS.iter().map(tool).collect()))
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        TOOLS.iter().find(|spec| spec.name == name).map(tool)
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let Some(tool) = TOOLS.iter().find(|spec| spec.name == request.name) else {
            let names: Vec<_> = TOOLS.iter().map(|spec| spec.name).collect();
            let message = format!("there is no tool {}; the tools are: {}", request.name, names.join(", "));
            return Err(ErrorData::invalid_params(message, None));
        };
        Ok(self.call(tool, request, &context).await.into())
    }

    async fn list_resources(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        // Originals are many and of use only to who holds their handle.
        Ok(ListResourcesResult::with_all_items(Vec::new()))
    }

    async fn list_resource_templates(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        let template = ResourceTemplate::new(format!("{ORIGINAL}{{content_id}}"), "original")
            .with_title("The whole original under a content_id")
            .with_mime_type("text/plain");
        Ok(ListResourceTemplatesResult::with_all_items(vec![template]))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let missing = |why: String| ErrorData::resource_not_found(why, None);
        let Some(handle) = request.uri.strip_prefix(ORIGINAL) else {
            return Err(missing(format!("{} is not an address like {ORIGINAL}hr_xxx", request.uri)));
        };
        let handle: Handle = handle.parse().map_err(|error| missing(format!("{error}")))?;
        let (engine, scope) = (self.engine.clone(), self.scope.clone());
        let found = tokio::task::spawn_blocking(move || engine.original(&scope, handle)).await;
        match found {
            Ok(Ok(Some(text))) => Ok(ReadResourceResult::new(vec![ResourceContents::text(text, request.uri)]).into()),
            Ok(Ok(None)) => Err(missing(format!("{handle} is not kept in this store; produce it again"))),
            Ok(Err(error)) => Err(ErrorData::internal_error(format!("the store cannot be read: {error}"), None)),
            Err(_) => Err(ErrorData::internal_error("reading the store failed", None)),
        }
    }

    async fn on_roots_list_changed(&self, _context: NotificationContext<RoleServer>) {
        *self.roots.lock().await = None;
    }
}

/// Serves one client over stdin and stdout until it goes away. Nothing else may be written to stdout meanwhile.
///
/// # Errors
///
/// When the client does not speak MCP, or the connection breaks.
pub async fn serve_stdio(server: Server) -> Result<(), ServeError> {
    let running =
        server.serve(rmcp::transport::io::stdio()).await.map_err(|error| ServeError::Handshake(error.to_string()))?;
    running.waiting().await.map(|_| ()).map_err(|error| ServeError::Broken(error.to_string()))
}

/** What the routes alone do not tell, in Markdown. */
export const GUIDE = `An AI-agent backend that answers from your own documents, with citations.

## Streams

An answer of type \`text/event-stream\` is server-sent events: \`id\` is the number of the entry, \`event\` its name, \`data\` one line of JSON
whose schema has that name as its title. \`run\` comes first and exactly one \`done\` last; a comment every 15 s keeps proxies awake. After
\`rewind\` the text goes on from \`offset\`: what came behind it counts no more.

A browser's \`EventSource\` cannot POST: start the answer with \`POST /v1/chat\`, and read \`GET /v1/runs/{run_id}/events\` with it. It reconnects by
itself, sends \`Last-Event-ID\`, and gets the rest; when nothing follows it gets 204, which ends its reconnecting. Whoever was cut off from
\`POST /v1/chat\` reads the rest there, too.

## Long conversations and instructions

When the messages of a session take half of what the model is given at once, the older ones are summarised in the background; later answers
get the summary and the newer messages. The messages themselves stay as they are. The log of a run says when it had a summary, or when older
messages were left out.

The system prompt of an answer has the \`instructions\` of the session's group (\`group_id\`), of the session and of the request, in this order. In
those of groups and sessions \`{{date}}\` (of the question, in UTC), \`{{user}}\` (the user's name), \`{{language}}\` (of the answer) and \`{{group}}\`
(the group's name) are replaced by text, the first hundred of them; nothing else in double braces is. Whoever leaves the group keeps the
session, without the group's instructions.

## WebSocket

\`/v1/ws/chat/{session_id}\` (also \`/chat/{session_id}\`) takes and sends text frames with JSON. Sign in with the cookie, \`X-API-Key\`, or the
protocols \`bearer\` and the token; a browser's \`Origin\` must be allowed. The client's frames have the schema \`SocketClientFrame\`:

- \`text\` asks a question; its answer comes as frames with one \`run_id\`
- \`stop\` ends the answers that this socket reads
- \`resume\` reads an answer from the entry behind \`after\`: send it after a reconnect (close codes 1012 and 1013)
- \`ping\` is answered by \`pong\`; the server's own pings, every 30 s, are those of the protocol
- \`audio\` is not taken yet

The server's frames have the schema \`SocketServerFrame\`: the events of a run with the number of the entry as \`seq\`, \`pong\`, and \`error\` with the
body of every error. The event \`run\` is a \`status\` with stage \`started\`; in \`tool\` frames \`run_id\` is the tool run's.

## Clients of OpenAI and Anthropic

They work with the address of this server, for OpenAI's with \`/v1\` behind it, and an API key of ours: chat completions, models and embeddings,
and messages. The model \`youworker\` is the agent with its documents and tools; its marks like [1] point to \`citations\`, a field of our own.
Every other name is a model itself. Each answer is a run of a new session, which keeps the question and the answer; a chat completion goes on
in the session that its field \`session_id\` names. A client that leaves does not stop the run. What a stream has sent is stored, so nothing of it
is ever taken back. \`tools\` are the client's own: a call of one ends the run, and the client sends the conversation again with the result.
Images and \`n\` above 1 are refused.

## Answers that are the same

Lists and documents have an \`ETag\`: a request with it in \`If-None-Match\` gets 304 as long as nothing has changed.`

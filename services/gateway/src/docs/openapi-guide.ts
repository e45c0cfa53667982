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
messages were left out. A summary holds for the branches that have all of the messages in it.

The system prompt of an answer has the \`instructions\` of the session's group (\`group_id\`), of the session and of the request, in this order. In
those of groups and sessions \`{{date}}\` (of the question, in UTC), \`{{user}}\` (the user's name), \`{{language}}\` (of the answer) and \`{{group}}\`
(the group's name) are replaced by text, the first hundred of them; nothing else in double braces is. Whoever leaves the group keeps the
session, without the group's instructions.

## What a model thinks

Models that think before they answer are shown doing so to who asks: \`show_thinking\` of chats (\`thinking\` events), \`include_reasoning\` of chat
completions (\`reasoning_content\`), \`reasoning\` of responses (items of the type \`reasoning\`, with the thoughts as their summary) and \`thinking\` of
messages. It is stored sealed in any case: \`GET /v1/sessions/{session_id}?include=thinking\` has it with each answer, and is for the owner of the
session as everything in it is.

## Files and vector stores

A file of OpenAI's protocol is a document: its id is \`file-\` and the document's. \`POST /v1/files\` only stores it; it is read, and found by searches,
once it is put into a vector store, and stays a document of yours when it is taken out again. A vector store is a collection, with \`vs_\` and
the collection's id: what you upload with that \`collection\` is in it, too, and deleting either deletes both and no file. With \`group_id\` it is
one of a group; its files are documents of the group, so share yours first (\`PATCH /v1/documents/{document_id}\`). How files are cut is a
setting of the installation: \`chunking_strategy\` is taken, and each file says how it was. A file that has an end (\`expires_after\`) is deleted
then as by you, and can be restored for a while.

\`file_search\` in \`tools\` of a response lets the model search the named vector stores and nothing else; with other models than the agent, too.
\`tool_choice: {"type": "file_search"}\` searches for the question before the model is asked.

## Branches

\`POST /v1/sessions/{session_id}/messages/{message_id}/retry\` has a question answered anew: the message of the user itself, or the one before
an answer. With \`content\` another question stands in its place; an answer cannot be given other words. What the body leaves out is as it was
the first time, but the model is the session's. Nothing is overwritten: the new question and its answer begin a branch, which shares
everything before them with the branch that it leaves, and is from then on the active one. The active branch is what the model sees, what a new
message goes on from, and what a session shows; \`GET /v1/sessions/{session_id}/branches\` lists all, \`PATCH\` of the session with
\`active_branch\` goes on with another one, and \`?branch=\` reads one. Messages that were asked again say by \`siblings\` which of how many they are,
and which branches have the others. A message that waits for its turn follows the branch that was active when it was sent.

## WebSocket

\`/v1/ws/chat/{session_id}\` (also \`/chat/{session_id}\`) takes and sends text frames with JSON. Sign in with the cookie, \`X-API-Key\`, or the
protocols \`bearer\` and the token; a browser's \`Origin\` must be allowed. The client's frames have the schema \`SocketClientFrame\`:

- \`text\` asks a question; its answer comes as frames with one \`run_id\`. With \`session_id\` it asks in another session: one socket follows
  up to eight answers at once, each with its own \`run_id\`, and its frame \`started\` says in which session
- \`retry\` has a message of the session answered anew, with \`content\` another question in its place, as the route of that name does
- \`stop\` ends the answers that this socket reads, those that begin among them; with \`run_id\` one
- \`resume\` reads an answer from the entry behind \`after\`: send it after a reconnect (close code 1012, or none)
- \`ping\` is answered by \`pong\`; the server's own pings, every 30 s, are those of the protocol
- \`audio\` asks with a recording; the answer comes as text and, unless \`expect_audio\` is false, as one \`audio\` frame before its \`done\`;
  with \`expect_audio\` that of a \`text\` or \`retry\` does too

Binary frames get an \`error\`. What breaks the protocol closes the socket: 1002 a wrong frame, 1007 text that is not UTF-8, 1009 a message of
more than 256 KiB that is no \`audio\`, 1008 a credential that has ended, a message in too many parts, or a client that goes on after 100 refused frames or 1,000
pings in 30 s. One user has at most 64 sockets open at a gateway.

The server's frames have the schema \`SocketServerFrame\`: the events of a run with the number of the entry as \`seq\`, \`pong\`, and \`error\` with the
body of every error. The event \`run\` is a \`status\` with stage \`started\`; in \`tool\` frames \`run_id\` is the tool run's.

## Speech

With an audio server (\`AUDIO__BASE_URL\`) a question may be a recording: \`audio_b64\` of \`/v1/unified-chat\` and \`/v1/voice-turn\`. WAV, WebM, Ogg, MP3,
FLAC and M4A are recognised by their content; anything else counts as samples of 16 bits (mono, little-endian) when \`sample_rate\` says how
many there are in a second. What was understood is the user's message, an event \`transcript\` and \`transcript\` in \`done\`. With \`expect_audio\` the
answer is spoken once it is whole: \`audio_b64\` (WAV) and \`audio_sample_rate\` in \`done\`. Sound is not kept: who reads the run again has the text, and
\`/v1/audio/speech\` reads it aloud. An answer that could not be spoken says so in \`logs\`. It is megabytes: who reads it with less than 16 KB in a second is
disconnected, and who has four unread ones gets the next as text only.

## Clients of OpenAI and Anthropic

They work with the address of this server, for OpenAI's with \`/v1\` behind it, and an API key of ours: chat completions, responses, models, embeddings
and audio, and messages. The model \`youworker\` is the agent with its documents and tools; its marks like [1] point to \`citations\`, a field of our own.
Every other name is a model itself. Each answer is a run of a new session, which keeps the question and the answer; a chat completion goes on
in the session that its field \`session_id\` names. A client that leaves does not stop the run. What a stream has sent is stored, so nothing of it
is ever taken back. \`tools\` are the client's own: a call of one ends the run, and the client sends the conversation again with the result.
\`n\` above 1 is refused.

## Images

PNG, JPEG, WebP and GIF are taken as data, never by address: \`images_b64\` of \`/v1/unified-chat\`, \`data:\` URLs in \`image_url\` and \`input_image\`, base64
sources of Anthropic's. A request may have 16, of 624 KB together. They go to the model that is asked; for the agent it is \`LLM__VISION_MODEL\`, where that is
set. A model that is known not to see is refused with 400. A conversation that the client sends whole is shown whole. Where it is stored here, the next
question goes with the text only: send an image again to ask about it again. A retry of a question shows its images again, with other words too.

## Answers that are the same

Lists and documents have an \`ETag\`: a request with it in \`If-None-Match\` gets 304 as long as nothing has changed.`

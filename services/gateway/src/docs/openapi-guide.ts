/** What the routes alone do not tell, in Markdown. */
export const GUIDE = `An AI-agent backend that answers from your own documents, with citations.

## Streams

An answer of type \`text/event-stream\` is server-sent events: \`id\` is the number of the entry, \`event\` its name, \`data\` one line of JSON
whose schema has that name as its title. \`run\` comes first and exactly one \`done\` last; a comment every 15 s keeps proxies awake. After
\`rewind\` the text goes on from \`offset\`: what came behind it counts no more.

A browser's \`EventSource\` cannot POST: start the answer with \`POST /v1/chat\`, and read \`GET /v1/runs/{run_id}/events\` with it. It reconnects by
itself, sends \`Last-Event-ID\`, and gets the rest; when nothing follows it gets 204, which ends its reconnecting. Whoever was cut off from
\`POST /v1/chat\` reads the rest there, too.

## WebSocket

\`/v1/ws/chat/{session_id}\` (also \`/chat/{session_id}\`) takes and sends text frames with JSON. Sign in with the cookie, \`X-API-Key\`, or the
protocols \`bearer\` and the token; a browser's \`Origin\` must be allowed. The client's frames have the schema \`SocketClientFrame\`:

- \`text\` asks a question; its answer comes as frames with one \`run_id\`
- \`stop\` ends the answers that this socket reads
- \`resume\` reads an answer from the entry behind \`after\`: send it after a reconnect (close codes 1012 and 1013)
- \`ping\` is answered by \`pong\`; the server's own pings, every 30 s, are those of the protocol
- \`audio\` asks with a recording; the answer comes as text and, unless \`expect_audio\` is false, as one \`audio\` frame before its \`done\`

The server's frames have the schema \`SocketServerFrame\`: the events of a run with the number of the entry as \`seq\`, \`pong\`, and \`error\` with the
body of every error. The event \`run\` is a \`status\` with stage \`started\`; in \`tool\` frames \`run_id\` is the tool run's.

## Speech

With an audio server (\`AUDIO__BASE_URL\`) a question may be a recording: \`audio_b64\` of \`/v1/unified-chat\` and \`/v1/voice-turn\`. WAV, WebM, Ogg, MP3,
FLAC and M4A are recognised by their content; anything else counts as samples of 16 bits (mono, little-endian) when \`sample_rate\` says how
many there are in a second. What was understood is the user's message, an event \`transcript\` and \`transcript\` in \`done\`. With \`expect_audio\` the
answer is spoken once it is whole: \`audio_b64\` (WAV) and \`audio_sample_rate\` in \`done\`. Sound is not kept: who reads the run again has the text, and
\`/v1/audio/speech\` reads it aloud. An answer that could not be spoken says so in \`logs\`.

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
question goes with the text only: send an image again to ask about it again.

## Answers that are the same

Lists and documents have an \`ETag\`: a request with it in \`If-None-Match\` gets 304 as long as nothing has changed.`

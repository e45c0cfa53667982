/** The page for somebody who opens the address in a browser. */
export const HOME = `<link rel="stylesheet" href="{home.css}">
</head>
<body>
<main>
<h1>YouWorker</h1>
<p>A self-hosted AI-agent backend: it answers from your own documents, with citations. This is its API; a console comes later.</p>
<ul>
<li><a href="/docs">The API, to try</a> and <a href="/redoc">to read</a> (<a href="/openapi.json">OpenAPI</a>)</li>
<li><a href="/asyncapi.json">The events on NATS</a> (AsyncAPI)</li>
<li><a href="/health">Whether it is well</a></li>
</ul>
<h2>Sign in</h2>
<p>Send your API key with each request, in the header <code>X-API-Key</code> or as <code>Authorization: Bearer</code>.
A web application signs its users in with <code>POST /v1/auth/login</code> and gets a cookie.</p>
<p>The first key is root&#8217;s: <code>npm start</code> prints where it stands, and <code>npm run youworker -- users add NAME</code>
makes an account with a key of its own.</p>
</main>
`

export const HOME_STYLE = `:root { color-scheme: light dark; }
body { font: 1rem/1.6 system-ui, sans-serif; margin: 0; }
main { max-width: 40rem; margin: 0 auto; padding: 3rem 1.5rem; }
code { font-size: 0.9em; }
`

export const ICON = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">
<rect width="32" height="32" rx="7" fill="#1f6f5c"/>
<path d="M8 8l8 9v8m8-17l-8 9" fill="none" stroke="#fff" stroke-width="4" stroke-linecap="round" stroke-linejoin="round"/>
</svg>
`

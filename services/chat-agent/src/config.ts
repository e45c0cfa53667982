import { databaseEnv, natsEnv, processEnv } from '@youworker/runtime/config'
import { z } from 'zod'
import { parseServerUrls } from './services/tools/mcp-servers.ts'

export const Env = z.object({
  ...processEnv,
  ...databaseEnv,
  ...natsEnv,
  /** Key ring that messages are sealed with: a Fernet key, or `id:key,id:key`. */
  SECURITY__CHAT_MESSAGE_ENCRYPTION_SECRET: z.string().min(1),
  LLM__OLLAMA_BASE_URL: z.url().default('http://127.0.0.1:11434'),
  /** Default: the first model that Ollama lists. */
  LLM__CHAT_MODEL: z.string().min(1).optional(),
  /** Most tokens of a conversation and its answer; a smaller context window of the model wins. */
  LLM__CONTEXT_TOKENS: z.coerce.number().int().min(2_048).max(1_000_000).default(16_384),
  /** Longest silence of the model during a call, in ms. */
  LLM__STALL_MS: z.coerce.number().int().min(100).max(600_000).default(60_000),
  /** Calls of the model per run, unless the request sets max_iterations. */
  AGENT__MAX_ITERATIONS: z.coerce.number().int().min(1).max(50).default(10),
  /** Runs that one process works on at the same time. */
  AGENT__CONCURRENCY: z.coerce.number().int().min(1).max(2_000).default(200),
  AGENT__TOOL_TIMEOUT_MS: z.coerce.number().int().min(100).max(600_000).default(30_000),
  /** Our own tool servers, at `<TOOLS__URL>/<server>/mcp`; only these get the run's token. */
  TOOLS__URL: z.url().optional(),
  /** Foreign MCP servers: `name=url`, comma list. */
  MCP__SERVER_URLS: z.string().default('').transform(parseServerUrls),
})

export type Config = z.output<typeof Env>

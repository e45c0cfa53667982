import { BackendKey } from '@youworker/contracts/agent/model-backends'
import { deletionEnv } from '@youworker/database/deletion/deletion-env'
import { sealingEnv } from '@youworker/database/sealing/sealing-env'
import { commaList, databaseEnv, httpUrl, integer, natsEnv, processEnv } from '@youworker/runtime/process/config'
import { z } from 'zod'
import { parseServerUrls } from './services/tools/mcp-servers.ts'

export const Env = z.object({
  ...processEnv,
  ...databaseEnv,
  ...natsEnv,
  ...sealingEnv,
  ...deletionEnv,
  LLM__OLLAMA_BASE_URL: httpUrl.default('http://127.0.0.1:11434').describe('Address of Ollama'),
  LLM__OPENAI_BASE_URL: httpUrl
    .optional()
    .describe(
      "A model server with OpenAI's protocol beside Ollama, whose first model is the default: vLLM, llama.cpp, LM Studio, a hosted one; with its version, as https://host/v1",
    ),
  LLM__OPENAI_API_KEY: BackendKey.optional().meta({ description: 'Key of that server', secret: true }),
  LLM__OLLAMA_CONCURRENCY: integer(1, 10_000)
    .optional()
    .describe(
      'Most calls of one model that one agent process makes of Ollama at the same time; further ones wait in turns of their users. The same as OLLAMA_NUM_PARALLEL there; without it 1, as there',
    ),
  LLM__OPENAI_CONCURRENCY: integer(1, 10_000)
    .optional()
    .describe("The same of the server with OpenAI's protocol; without it 256"),
  LLM__CHAT_MODEL: z.string().min(1).optional().describe('Model of answers; without it the first that is listed'),
  LLM__VISION_MODEL: z
    .string()
    .min(1)
    .optional()
    .describe('Model of answers to questions with images, unless the request names one; without it the same as of others'),
  LLM__CONTEXT_TOKENS: integer(2_048, 1_000_000).default(16_384).meta({
    description: 'Most of a conversation that the model is given, its answer included; a smaller window of the model wins',
    unit: 'tokens',
  }),
  LLM__STALL_MS: integer(100, 600_000)
    .default(60_000)
    .meta({ description: 'How long the model may be silent before a run fails', unit: 'ms' }),
  LLM__WAIT_MS: integer(0, 600_000)
    .default(60_000)
    .meta({ description: 'How long one run waits, in all, for a model that is away; then it fails', unit: 'ms' }),
  AGENT__MAX_ITERATIONS: integer(1, 50)
    .default(10)
    .describe('Most calls of the model in one run, unless the request sets another number'),
  AGENT__CONCURRENCY: integer(1, 10_000)
    .default(2_000)
    .describe('Most runs that one process works on at the same time; it takes fewer while its memory is nearly used up'),
  AGENT__TITLES: z
    .enum(['model', 'words'])
    .default('model')
    .describe(
      'Who titles a session after its first answer: its model, with one short call in the background, or nobody: then the first words of its question stay. The offline model is never asked',
    ),
  AGENT__TOOL_TIMEOUT_MS: integer(100, 600_000)
    .default(30_000)
    .meta({ description: 'How long one tool call may take', unit: 'ms' }),
  AGENT__TOOL_WAIT_MS: integer(0, 120_000).default(15_000).meta({
    description: 'How long one run waits, in all, for tools that are away; then it answers without them and says so',
    unit: 'ms',
  }),
  AGENT__CACHE_TTL_MS: integer(0, 3_600_000).default(300_000).meta({
    description: 'How long an answer is kept for those who ask the same again with `cache`; 0 keeps none',
    unit: 'ms',
  }),
  TOOLS__URL: httpUrl.optional().describe('Our own tool servers, at TOOLS__URL/<server>/mcp; only these get the token of a run'),
  MCP__SERVER_URLS: z
    .string()
    .default('')
    .transform(parseServerUrls)
    .meta({ description: 'Foreign MCP servers: name=url, separated by commas', secret: true }),
  MCP__ALLOWED_TOOLS: commaList
    .transform((list) => new Set(list))
    .default(new Set())
    .describe(
      'Tools that runs may use besides our own that change nothing: server/tool or server/*, separated by commas, of foreign servers or of our `ingest`; none without it',
    ),
})

export type Config = z.output<typeof Env>

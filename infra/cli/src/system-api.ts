import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { readSetting } from '@youworker/runtime/process/read-setting'
import { z } from 'zod'

const DEFAULT_DATA_DIR = join(import.meta.dirname, '../../../.youworker')
const Endpoints = z.object({ api: z.string(), root_api_key: z.string() })
const Failure = z.object({ error: z.object({ message: z.string() }) })
const REQUEST_MS = 15_000

/** Options that name the system, for `parseArgs`. */
export const SYSTEM_OPTIONS = { data: { type: 'string' }, api: { type: 'string' } } as const

interface Sent {
  readonly isOk: boolean
  readonly status: number
  readonly body: unknown
  /** What went wrong. */
  readonly message: string
  readonly retryAfterMs: number | undefined
}

/** The HTTP API of a running system, called as root unless another key is given. */
export class SystemApi {
  readonly url: string
  /** The option that named the system, to be printed after a command. */
  readonly option: string
  readonly #key: string

  private constructor(url: string, key: string, option: string) {
    this.url = url
    this.option = option
    this.#key = key
  }

  /**
   * The system of `npm start` that uses the folder `data`, or the one at `api` with the key in SECURITY__ROOT_API_KEY. `keyName`: a setting
   * that may have the key of another user.
   */
  static async open(
    { data, api }: { readonly data?: string; readonly api?: string },
    env: NodeJS.ProcessEnv,
    keyName?: string,
  ): Promise<SystemApi> {
    const own = keyName === undefined ? undefined : readSetting(keyName, env)
    if (api !== undefined) {
      const key = own ?? readSetting('SECURITY__ROOT_API_KEY', env)
      if (key === undefined) throw new Error('--api needs the root key of that system in SECURITY__ROOT_API_KEY')
      return new SystemApi(api.replace(/\/+$/, ''), key, ` --api ${api}`)
    }
    // npm changes to the package's folder and keeps the caller's in INIT_CWD.
    const dir = data === undefined ? DEFAULT_DATA_DIR : resolve(env['INIT_CWD'] ?? '', data)
    const text = await readFile(join(dir, 'endpoints.json'), 'utf8').catch((cause: unknown) => {
      const what = `No running system was found in ${dir}.`
      throw new Error(`${what} Start one with npm start, name its folder with --data DIR, or its address with --api URL`, {
        cause,
      })
    })
    const { api: url, root_api_key } = Endpoints.parse(JSON.parse(text))
    return new SystemApi(url, own ?? root_api_key, data === undefined ? '' : ` --data '${data}'`)
  }

  /** Throws the message of an error that the API answers with. */
  async call(method: 'GET' | 'POST' | 'DELETE', path: string, body?: object): Promise<unknown> {
    const sent = await this.send(method, path, body)
    if (sent.isOk) return sent.body
    throw new Error(sent.message)
  }

  async send(method: 'GET' | 'POST' | 'DELETE', path: string, body?: object): Promise<Sent> {
    const response = await fetch(`${this.url}${path}`, {
      method,
      headers: { 'x-api-key': this.#key, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(REQUEST_MS),
    }).catch((cause: unknown) => {
      throw new Error(`The system at ${this.url} does not answer. Does it still run (npm start -- status)?`, { cause })
    })
    const { ok: isOk, status, headers } = response
    const json = parseJson(await response.text())
    const failure = Failure.safeParse(json)
    const message = failure.success ? failure.data.error.message : `The system at ${this.url} answered ${status}`
    const seconds = Number(headers.get('retry-after') ?? Number.NaN)
    return { isOk, status, body: json, message, retryAfterMs: Number.isFinite(seconds) ? seconds * 1_000 : undefined }
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

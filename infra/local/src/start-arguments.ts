import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { SERVICES, type ServiceName } from '@youworker/contracts/topology/topology'
import { DEFAULT_DATA_DIR } from './paths.ts'
import { recordOf } from './record-of.ts'
import { nearest } from './settings/nearest.ts'
import { StartError } from './start-error.ts'

export interface RunCommand {
  readonly kind: 'run'
  readonly dataDir: string
  readonly paths: readonly string[]
  readonly question: string | undefined
  readonly once: boolean
  readonly demo: boolean
  readonly reset: boolean
  readonly singleProcess: boolean
  readonly replicas: Readonly<Record<ServiceName, number>>
}
interface NamedCommand {
  readonly kind: 'status' | 'logs' | 'restart' | 'stop'
  readonly dataDir: string
  readonly name: string | undefined
}
interface ScaleCommand {
  readonly kind: 'scale'
  readonly dataDir: string
  readonly counts: Readonly<Partial<Record<ServiceName, number>>>
}
/** For a system that runs. */
export type ControlCommand = NamedCommand | ScaleCommand
export type StartCommand = RunCommand | ControlCommand | { readonly kind: 'help' }

export const HELP = `npm start -- [FILE or FOLDER …] [options]

  starts YouWorker, reads the files, asks a question about them and stays up (Ctrl+C stops it).

  --ask QUESTION        what to ask
  --once                stop after the answer. Exit code: 0 the answer cites one of the files, 1 the start failed,
                        2 a file failed, 3 the answer cites none of the files
  --no-demo             no question
  --data DIR            where everything is kept (default: .youworker in the project)
  --reset               erase that folder first
  --single-process      all services in one process
  --replicas a=2,b=2    more than one of a service: ${SERVICES.join(', ')}

npm start -- status | logs [NAME] | restart NAME | scale a=3,b=1 | stop  [--data DIR]

  look at, restart, scale and stop what runs. NAME as in status; without a number it means all of that service.
  restart and scale work while the system serves: a new process is ready before the old one finishes its work and ends.
  A file with one of these five names is given as ./status.

Settings come from the environment or a file .env in the project: DATABASE__ADMIN_URL, NATS__URL and LLM__OLLAMA_BASE_URL
name your own Postgres, NATS and Ollama instead of the built-in ones; LLM__CHAT_MODEL and LLM__EMBED_MODEL the models.`

export const OPTIONS = {
  ask: { type: 'string' },
  once: { type: 'boolean' },
  'no-demo': { type: 'boolean' },
  data: { type: 'string' },
  reset: { type: 'boolean' },
  'single-process': { type: 'boolean' },
  replicas: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const

/** Resolves paths against `cwd`. Throws {@link StartError} for invalid arguments. */
export function parseStartArguments(args: readonly string[], cwd: string): StartCommand {
  const { values, positionals } = parse(args)
  if (values.help) return { kind: 'help' }
  const dataDir = values.data === undefined ? DEFAULT_DATA_DIR : resolve(cwd, values.data)
  const [first, ...rest] = positionals
  if (isControl(first)) return control(first, rest, dataDir)
  const singleProcess = values['single-process'] ?? false
  if (singleProcess && values.replicas !== undefined)
    throw new StartError('--single-process and --replicas exclude each other: leave one out.')
  if (values.ask !== undefined && values.ask.trim() === '')
    throw new StartError('--ask needs a question, e.g. --ask "How many days of leave do I have?"')
  return {
    kind: 'run',
    dataDir,
    paths: positionals.map((path) => resolve(cwd, path)),
    question: values.ask,
    once: values.once ?? false,
    demo: !(values['no-demo'] ?? false),
    reset: values.reset ?? false,
    singleProcess,
    replicas: { ...recordOf(SERVICES, () => 1), ...parseReplicas('--replicas', values.replicas?.split(',') ?? []) },
  }
}

const CONTROL = ['status', 'logs', 'restart', 'scale', 'stop'] as const
const isControl = (word: string | undefined): word is ControlCommand['kind'] => CONTROL.some((kind) => kind === word)

function parse(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true })
  } catch (cause) {
    // The sentences after the first are about the syntax of node:util's parseArgs.
    const [what] = String(cause instanceof Error ? cause.message : cause).split('. ')
    const wrong = /'--?([\w-]+)/.exec(what ?? '')?.[1] ?? ''
    const close = wrong in OPTIONS ? undefined : nearest(wrong, Object.keys(OPTIONS))
    const hint = close === undefined ? '' : ` Did you mean --${close}?`
    throw new StartError(`${what}.${hint} All options: npm start -- --help`, { cause })
  }
}

function control(kind: ControlCommand['kind'], rest: readonly string[], dataDir: string): ControlCommand {
  if (kind === 'scale') {
    if (rest.length === 0) throw new StartError('What to how many? E.g. npm start -- scale chat-agent=3')
    return {
      kind,
      dataDir,
      counts: parseReplicas(
        'scale',
        rest.flatMap((entry) => entry.split(',')),
      ),
    }
  }
  const [name, ...more] = rest
  if (more.length > 0) throw new StartError(`${kind} takes one name at most.`)
  if (kind === 'restart' && name === undefined)
    throw new StartError('Which one? E.g. npm start -- restart chat-agent (status shows the names).')
  return { kind, dataDir, name }
}

function parseReplicas(what: string, entries: readonly string[]): Partial<Record<ServiceName, number>> {
  const replicas: Partial<Record<ServiceName, number>> = {}
  for (const entry of entries) {
    const [, name = '', digits = ''] = /^\s*([a-z-]+)=(\d{1,2})\s*$/.exec(entry) ?? []
    const count = Number(digits)
    if (!isService(name) || count < 1 || count > 16) {
      throw new StartError(`${what}: "${entry}" is not SERVICE=COUNT (1 to 16). Services: ${SERVICES.join(', ')}.`)
    }
    replicas[name] = count
  }
  return replicas
}

const isService = (name: string): name is ServiceName => SERVICES.some((service) => service === name)

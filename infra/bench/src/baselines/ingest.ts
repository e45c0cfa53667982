// The baseline of `ingest`: reads the files of each message, cuts them into chunks, asks the model for their vectors, and keeps nothing.
import { readFile } from 'node:fs/promises'
import { chunkDocument } from '@youworker/ingestion/chunking/chunk-document'
import { loadParser } from '@youworker/ingestion/parsing/parse-file'
import { Ollama } from 'ollama'

const BATCH = 64
const SIZE = { tokens: 400, overlap: 60 }
const TYPES = { md: 'text/markdown', pdf: 'application/pdf', txt: 'text/plain' } as const

const ollama = new Ollama({ host: process.env.MODEL_URL ?? '' })

function typeOf(path: string) {
  const [, ending = ''] = /\.(\w+)$/.exec(path) ?? []
  if (ending === 'md' || ending === 'pdf' || ending === 'txt') return TYPES[ending]
  throw new Error(`no type for ${path}`)
}

async function ingest(paths: readonly string[]): Promise<void> {
  let waiting: string[] = []
  const embed = async () => {
    const input = waiting
    waiting = []
    if (input.length > 0) await ollama.embed({ model: 'youworker-offline', input })
  }
  for (const path of paths) {
    const parse = await loadParser(typeOf(path))
    for (const { text, title_path } of chunkDocument(await parse(new Uint8Array(await readFile(path))), SIZE)) {
      waiting.push([...title_path, text].join('\n\n'))
      if (waiting.length === BATCH) await embed()
    }
  }
  await embed()
}

process.on('message', (paths: readonly string[]) => {
  ingest(paths).then(
    () => process.send?.('done'),
    (error: unknown) => {
      console.error(error)
      process.exit(1)
    },
  )
})
process.send?.('ready')

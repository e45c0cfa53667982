import { setTimeout as sleep } from 'node:timers/promises'
import type { SourceRequest } from '@youworker/contracts/documents/sources'
import type { IngestionRun } from '@youworker/contracts/documents/runs'
import type { ingestion } from '@youworker/contracts/ingestion'
import { LIMITS } from '@youworker/contracts/limits'
import type { Client } from '@youworker/messaging/requests/client'
import { cutText } from '@youworker/runtime/text/text'
import type { ToolContext } from '../servers/tool.ts'

type Ingestion = Pick<Client<typeof ingestion>, 'startSourceRun' | 'storeUpload' | 'startRun' | 'getRun'>
type Target = Pick<SourceRequest, 'collection' | 'tags' | 'group_id'>

export interface AddedDocument {
  readonly run_id: string
  readonly status: IngestionRun['status']
  readonly passages: number
  readonly error?: string
}

/** UTF-16 units, of which each takes at most three bytes: with its title, a text is one part of an upload. */
export const MAX_TEXT = LIMITS.part / 4
/** How long a call waits for the document to be read, well below the limit of a call. */
const WAIT_MS = 10_000
const ASK_MS = 250
const SHOWN_NAME = 80

/** Adds documents with the rights of the caller. Repeating a call makes no second document: both have the same path and content. */
export class DocumentAdder {
  readonly #documents: (scope: ToolContext) => Ingestion

  constructor(documents: (scope: ToolContext) => Ingestion) {
    this.#documents = documents
  }

  async addUrl(url: string, target: Target, context: ToolContext): Promise<AddedDocument> {
    const source = { path_or_url: url, from_web: true, recursive: false, max_depth: 1, max_pages: 1, is_private: false }
    const { run_id } = await this.#documents(context).startSourceRun({ ...source, ...target })
    return this.#read(run_id, context)
  }

  async addText({ title, text }: { title: string; text: string }, target: Target, context: ToolContext): Promise<AddedDocument> {
    const documents = this.#documents(context)
    // A call of another run with the same title is another document, and replaces nothing.
    const name = `notes/${cutText(title.replaceAll(/[/\\]/g, ' '), SHOWN_NAME, '')} ${context.callKey.slice(-12)}.md`
    const bytes = Buffer.from(text.startsWith('# ') ? text : `# ${title}\n\n${text}`)
    const { blob_id } = await documents.storeUpload({ name, space_id: target.group_id, bytes })
    const { run_id } = await documents.startRun({ files: [{ blob_id, name }], is_private: false, ...target })
    return this.#read(run_id, context)
  }

  async #read(run_id: string, context: ToolContext): Promise<AddedDocument> {
    for (const until = Date.now() + WAIT_MS; ; await sleep(ASK_MS, undefined, { signal: context.signal })) {
      const { status, chunks_written: passages, errors } = await this.#documents(context).getRun({ run_id })
      const hasEnded = status !== 'pending' && status !== 'running'
      if (!hasEnded && Date.now() < until) continue
      const error = errors[0] ?? `the run ended as ${status}`
      return { run_id, status, passages, ...(hasEnded && status !== 'success' ? { error } : {}) }
    }
  }
}

import { SourceRequest } from '@youworker/contracts/documents/sources'
import { Line, Status } from '@youworker/contracts/common'
import { z } from 'zod'
import { type AddedDocument, type DocumentAdder, MAX_TEXT } from '../services/document-adder.ts'
import { defineTool, type ToolServer } from './tool.ts'

const { collection, tags, group_id } = SourceRequest.shape
const where = {
  collection: collection.describe('The collection that it becomes part of'),
  tags: tags.describe('Its tags'),
  group_id: group_id.describe('The group that it is shared with; without it, it is for the user alone'),
}
const Added = z.object({
  run_id: z.string().describe('Of the ingestion run'),
  status: Status,
  passages: z.number().int().describe('How many can be found by a search now'),
  error: z.string().optional(),
})

export const ingestServer = (documents: DocumentAdder): ToolServer<'ingest'> => ({
  name: 'ingest',
  tools: [
    defineTool({
      name: 'add_url',
      title: 'Add a web page to the documents',
      description:
        "Reads a public web page or file and adds it to the user's documents. Only for an address that the user gave and asked to add.",
      adds: true,
      input: z.object({
        url: z
          .url({ protocol: /^https?$/ })
          .max(2_048)
          .describe('Its address, with http:// or https://'),
        ...where,
      }),
      output: Added,
      call: async ({ url, ...target }, context) => answer(url, await documents.addUrl(url, target, context)),
    }),
    defineTool({
      name: 'add_text',
      title: 'Add a text to the documents',
      description: "Adds a text as a new document to the user's documents. Only when the user asked to keep it.",
      adds: true,
      input: z.object({
        title: Line(200).describe('What it is about'),
        text: z.string().min(1).max(MAX_TEXT).describe('The text, as Markdown'),
        ...where,
      }),
      output: Added,
      call: async ({ title, text, ...target }, context) =>
        answer(title, await documents.addText({ title, text }, target, context)),
    }),
  ],
})

function answer(name: string, structured: AddedDocument): { structured: AddedDocument; text: string } {
  const { status, passages, run_id, error } = structured
  const found = passages === 1 ? '1 passage' : `${passages} passages`
  if (status === 'success') return { structured, text: `${name} was added: ${found} can be found by a search now.` }
  if (error !== undefined) return { structured, text: `${name} could not be added: ${error}` }
  return { structured, text: `${name} is still being read (ingestion run ${run_id}); a search finds it when that is done.` }
}

import { SearchAnswer, SearchedSpaces, SearchHit, SearchQuery } from '@youworker/contracts/documents/search'
import { z } from 'zod'
import { formatHits, type KnowledgeService, NOT_FOR_MODELS } from '../services/knowledge-service.ts'
import { defineTool, type ToolServer } from './tool.ts'

const { query, collection, tags, group_id, mode } = SearchQuery.shape
/** As many passages as a model uses well in one answer. */
const TOP_K = 6

export const semanticServer = (knowledge: KnowledgeService): ToolServer<'semantic'> => ({
  name: 'semantic',
  tools: [
    defineTool({
      name: 'knowledge_search',
      title: 'Search the documents',
      description:
        'Finds passages in the documents that the user may read: their own and those of their groups. ' +
        'Use it before answering any question that their documents may answer.',
      input: z.object({
        query: query.describe('What to look for: a question or a few words'),
        top_k: z.number().int().min(1).max(20).default(TOP_K).describe('How many passages'),
        collection: collection.describe('Only this collection'),
        tags: tags.describe('Only documents with one of these tags'),
        group_id: group_id.describe('Only documents of this group'),
        mode: mode.describe('hybrid unless there is a reason'),
      }),
      output: z.object({
        results: z.array(SearchHit.omit(NOT_FOR_MODELS)),
        searched: SearchedSpaces,
        incomplete: SearchAnswer.shape.incomplete,
      }),
      async call(input, context) {
        const { collection_ids, filters, top_k = input.top_k, min_score = 0 } = context.scope ?? {}
        const asked = SearchQuery.parse({ ...input, top_k, collection_ids, filters })
        const { hits: all, searched, incomplete } = await knowledge.search(asked, context)
        const hits = all.filter(({ score }) => score >= min_score)
        const structured = { results: hits, searched: searched && [...searched], incomplete }
        return { structured, text: formatHits(hits, incomplete) }
      },
    }),
  ],
})

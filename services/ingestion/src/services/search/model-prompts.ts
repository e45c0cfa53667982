/** What is put before a text, by what it is for. */
interface Prompts {
  readonly query: string
  readonly document: string
}

const NONE: Prompts = { query: '', document: '' }
const SENTENCE = 'Represent this sentence for searching relevant passages: '
const CHINESE_SENTENCE = '为这个句子生成表示以用于检索相关文章：'
const INSTRUCTION = 'Instruct: Given a web search query, retrieve relevant passages that answer the query\nQuery:'

/**
 * What the models were trained with, from the model card of each family (huggingface.co: google/embeddinggemma-300m,
 * nomic-ai/nomic-embed-text-v1.5, Qwen/Qwen3-Embedding-0.6B, mixedbread-ai/mxbai-embed-large-v1, BAAI/bge-large-en-v1.5 and -zh-v1.5,
 * intfloat/e5-large-v2, intfloat/multilingual-e5-large-instruct, Snowflake/snowflake-arctic-embed-l and -l-v2.0). The first that fits a name counts.
 */
const BY_NAME: readonly (readonly [name: RegExp, prompts: Prompts])[] = [
  [/embedding-?gemma/, { query: 'task: search result | query: ', document: 'title: none | text: ' }],
  [/nomic-embed-text/, { query: 'search_query: ', document: 'search_document: ' }],
  [/qwen3-embedding/, { ...NONE, query: INSTRUCTION }],
  [/e5-[a-z-]{0,40}instruct|e5-mistral/, { ...NONE, query: `${INSTRUCTION} ` }],
  [/(^|[^a-z0-9])e5-/, { query: 'query: ', document: 'passage: ' }],
  [/mxbai-embed/, { ...NONE, query: SENTENCE }],
  // bge-m3 and the other multilingual ones want none.
  [/bge-(small|base|large)(-en|$|-v1\.5)/, { ...NONE, query: SENTENCE }],
  [/bge-(small|base|large)-zh(?!-noinstruct)/, { ...NONE, query: CHINESE_SENTENCE }],
  [/arctic-embed(2|[a-z-]{0,20}v2)/, { ...NONE, query: 'query: ' }],
  [/arctic-embed/, { ...NONE, query: SENTENCE }],
]

/** `model` as a model server calls it: `nomic-embed-text:latest`, `hf.co/intfloat/e5-large-v2-GGUF:Q8_0`. */
export function promptsOf(model: string): Prompts {
  const [name = ''] = model.toLowerCase().split('/').at(-1)?.split(':') ?? []
  return BY_NAME.find(([pattern]) => pattern.test(name.replace(/-gguf$/, '')))?.[1] ?? NONE
}

/** Names the vectors of documents: with another text before theirs they would be others. */
export function vectorsName(model: string): string {
  const { document } = promptsOf(model)
  return document === '' ? model : `${model} "${document.trim()}"`
}

/** The model of a name of vectors. */
export const modelOf = (vectors: string): string => vectors.split(' "')[0] ?? vectors

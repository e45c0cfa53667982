import { expect, test } from 'vitest'
import { promptsOf, vectorsName } from './model-prompts.ts'

const SENTENCE = 'Represent this sentence for searching relevant passages: '
const INSTRUCTION = 'Instruct: Given a web search query, retrieve relevant passages that answer the query\nQuery:'

test.each([
  ['embeddinggemma:300m', 'task: search result | query: ', 'title: none | text: '],
  ['nomic-embed-text', 'search_query: ', 'search_document: '],
  ['nomic-embed-text:v1.5', 'search_query: ', 'search_document: '],
  ['nomic-embed-text-v2-moe', 'search_query: ', 'search_document: '],
  ['qwen3-embedding:0.6b', INSTRUCTION, ''],
  ['hf.co/Qwen/Qwen3-Embedding-0.6B-GGUF:Q8_0', INSTRUCTION, ''],
  ['jeffh/intfloat-multilingual-e5-large:f16', 'query: ', 'passage: '],
  ['hf.co/intfloat/e5-large-v2-GGUF', 'query: ', 'passage: '],
  ['multilingual-e5-large-instruct', `${INSTRUCTION} `, ''],
  ['mxbai-embed-large', SENTENCE, ''],
  ['bge-large', SENTENCE, ''],
  ['bge-base-en-v1.5', SENTENCE, ''],
  ['bge-m3', '', ''],
  ['bge-large-zh-v1.5', '为这个句子生成表示以用于检索相关文章：', ''],
  ['bge-large-zh-noinstruct', '', ''],
  ['snowflake-arctic-embed:335m', SENTENCE, ''],
  ['snowflake-arctic-embed2', 'query: ', ''],
  ['all-minilm', '', ''],
  ['youworker-offline', '', ''],
])('%s gets what it was trained with', (model, query, document) => {
  expect(promptsOf(model)).toEqual({ query, document })
})

test('vectors of a model with a text before the documents have another name than those without it', () => {
  expect(vectorsName('nomic-embed-text')).toBe('nomic-embed-text "search_document:"')
  expect(vectorsName('bge-large')).toBe('bge-large')
})

import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { JsonSchema } from '../types.ts';
import { unsent } from './errors.ts';

/** The part of node-llama-cpp (3.x) that is used. The package is optional: its binaries are large. */
export interface LlamaModule {
  getLlama(options: Record<string, unknown>): Promise<Llama>;
  LlamaChat: new (options: { contextSequence: LlamaSequence; chatWrapper?: 'auto' }) => LlamaChat;
}

export interface Llama {
  loadModel(options: {
    modelPath: string;
    gpuLayers?: number;
    loadSignal?: AbortSignal;
  }): Promise<LlamaModel>;
  createGrammarForJsonSchema(schema: JsonSchema): Promise<unknown>;
}

export interface LlamaModel {
  createContext(options: { contextSize: number; threads: number; sequences: number }): Promise<LlamaContext>;
  dispose(): Promise<void>;
}

export interface LlamaContext {
  getSequence(): LlamaSequence;
}

export interface LlamaSequence {
  readonly tokenMeter: { readonly usedInputTokens: number; readonly usedOutputTokens: number };
  dispose(): void;
}

export type LlamaTurn =
  | { type: 'system' | 'user'; text: string }
  | {
      type: 'model';
      response: (string | { type: 'functionCall'; name: string; params: unknown; result: unknown })[];
    };

export interface LlamaChat {
  generateResponse(
    history: LlamaTurn[],
    options: {
      signal: AbortSignal;
      maxTokens: number;
      temperature: number;
      topP: number;
      seed?: number;
      customStopTriggers?: string[];
      grammar?: unknown;
      functions?: Record<string, { description?: string; params?: JsonSchema }>;
      onResponseChunk?: (chunk: { type?: 'segment'; segmentType?: string; text: string }) => void;
    },
  ): Promise<{
    response: string;
    functionCalls?: { functionName: string; params: unknown }[];
    metadata: { stopReason: string };
  }>;
  dispose(options?: { disposeSequence?: boolean }): void;
}

const INSTALL = 'npm install node-llama-cpp';

const instances = new Map<string, Promise<{ module: LlamaModule; llama: Llama }>>();

/**
 * Loads node-llama-cpp and its CPU binary, once a process: from this project, or from the folder that
 * `AGENTMILL_LLAMA_DIR` names, where it was installed beside it. Nothing is built and nothing is downloaded.
 * @throws ProviderError PACKAGE_MISSING with the install command.
 */
export async function loadLlama(folder: string | undefined): Promise<{ module: LlamaModule; llama: Llama }> {
  const key = folder ?? '';
  let instance = instances.get(key);
  if (!instance) {
    instances.set(key, (instance = load(folder)));
    instance.catch(() => instances.delete(key));
  }
  return instance;
}

async function load(folder: string | undefined): Promise<{ module: LlamaModule; llama: Llama }> {
  let module: LlamaModule;
  try {
    const name = 'node-llama-cpp';
    const target = folder
      ? pathToFileURL(createRequire(join(resolve(folder), 'package.json')).resolve(name)).href
      : name;
    module = (await import(/* @vite-ignore */ target)) as LlamaModule;
  } catch (error) {
    throw unsent('PACKAGE_MISSING', `The package node-llama-cpp is not installed. Run: ${INSTALL}`, error);
  }
  try {
    const llama = await module.getLlama({
      gpu: false,
      build: 'never',
      skipDownload: true,
      maxThreads: 1,
      logLevel: 'error',
    });
    return { module, llama };
  } catch (error) {
    throw unsent('PACKAGE_MISSING', `node-llama-cpp has no binary for this machine. Run: ${INSTALL}`, error);
  }
}

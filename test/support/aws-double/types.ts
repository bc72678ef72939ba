/** Any JSON of a template or of evaluated properties. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- templates are looked into at any depth
export type Any = any;

export interface ResourceSpec {
  Type: string;
  Properties?: Record<string, Any>;
  DependsOn?: string | string[];
  Condition?: string;
  DeletionPolicy?: string;
  UpdateReplacePolicy?: string;
}

export interface CfnTemplate {
  Parameters?: Record<string, { Type: string; Default?: Any; AllowedValues?: string[] }>;
  Mappings?: Record<string, Record<string, Record<string, Any>>>;
  Conditions?: Record<string, Any>;
  Rules?: Record<string, { RuleCondition?: Any; Assertions: { Assert: Any; AssertDescription?: string }[] }>;
  Resources: Record<string, ResourceSpec>;
  Outputs?: Record<string, { Value: Any; Condition?: string; Export?: { Name: Any }; Description?: string }>;
}

/** A resource that was created: what Ref and Fn::GetAtt give, and the properties it was made of. */
export interface LiveResource {
  stack: string;
  logicalId: string;
  type: string;
  ref: string;
  /** Its identifier in the account and region, unique among its type. */
  key: string;
  attributes: Record<string, Any>;
  properties: Record<string, Any>;
}

/** An answer that is a fault of the request, as AWS would word its code. */
export class AwsFault extends Error {
  readonly code: string;
  readonly status: number;
  constructor(code: string, message: string, status = 400) {
    super(message);
    this.name = code;
    this.code = code;
    this.status = status;
  }
}

export const ACCOUNT = '111122223333';
export const PARTITION = 'aws';

import type { Domain } from '../records.ts';

/** Eight audiences a domain, each with words whose presence calls for it. Stems decide, so `engine` finds `engines`. */
export interface Persona {
  name: string;
  triggers: readonly string[];
}

const persona = (name: string, triggers: string): Persona => ({ name, triggers: triggers.split(' ') });

export const PERSONAS: Readonly<Record<Domain, readonly Persona[]>> = {
  Math: [
    persona('geometry student', 'triangle circle angle polygon area radius vertex'),
    persona('algebra student', 'equation polynomial quadratic root solve variable'),
    persona('mathematics teacher', 'example exercise calculate number pupil'),
    persona('statistics student', 'probability mean variance sample distribution dice'),
    persona('number theory enthusiast', 'prime integer divisor modulo odd even'),
    persona('history of mathematics reader', 'named century mathematician proved published'),
    persona('calculus student', 'derivative integral limit series function'),
    persona('puzzle solver', 'puzzle game ways combinations sequence'),
  ],
  'Technology & Engineering': [
    persona('civil engineer', 'bridge tunnel dam concrete tower construction port'),
    persona('energy analyst', 'electricity energy coal petroleum gas solar nuclear capacity'),
    persona('transport planner', 'railway airports port train road vehicle gauge ferry'),
    persona('telecommunications engineer', 'telephone broadband internet mobile radio broadcast'),
    persona('aerospace engineer', 'rocket satellite space launch aircraft orbit'),
    persona('mechanical engineering student', 'engine machine turbine gear steam piston'),
    persona('history of technology reader', 'invented inventor built patent first century'),
    persona('electronics hobbyist', 'battery voltage circuit transistor chip sensor'),
  ],
  Coding: [
    persona('Python developer', 'python pip tuple list dictionary'),
    persona('web developer', 'html css http browser javascript api'),
    persona('database administrator', 'sql database query table index transaction'),
    persona('software engineering student', 'algorithm function class complexity recursion'),
    persona('site reliability engineer', 'server timeout deploy container log retry'),
    persona('code reviewer', 'return parameter exception test default'),
    persona('command line user', 'command shell flag terminal option git'),
    persona('technical writer', 'documentation version format option example'),
  ],
  'Social Science': [
    persona('political science student', 'government parliament president constitution legislature minister'),
    persona('historian', 'war empire century king treaty history revolution'),
    persona('election observer', 'election vote seats party electoral suffrage'),
    persona('demographer', 'population birth death age fertility migration census'),
    persona('diplomat', 'ambassador embassy treaty nato independence international'),
    persona('legal scholar', 'court law judge legal citizenship justice'),
    persona('defence analyst', 'military army forces troops defense navy'),
    persona('sociologist', 'society ethnic religion urban language family'),
  ],
  'Natural Science': [
    persona('geography student', 'area coastline border elevation river terrain mountain'),
    persona('environmental scientist', 'emissions pollution forest waste climate water'),
    persona('chemistry student', 'element acid metal compound reaction atomic'),
    persona('physics student', 'energy force mass light gravity quantum'),
    persona('wildlife biologist', 'species animal bird habitat mammal fish'),
    persona('amateur astronomer', 'planet moon star orbit telescope comet'),
    persona('geologist', 'rock volcano mineral earthquake glacier fossil'),
    persona('botany student', 'plant tree flower leaf seed photosynthesis'),
  ],
  'Travel & Lifestyle': [
    persona('city tourist', 'museum square cathedral castle visit town city'),
    persona('home cook', 'recipe oven cook simmer flour bake dough'),
    persona('long-distance hiker', 'trail hike walk path mountain route'),
    persona('guidebook editor', 'built tower bridge river population attraction'),
    persona('gardener', 'garden plant sow soil compost prune'),
    persona('rail traveller', 'train railway station ferry ticket line'),
    persona('architecture enthusiast', 'built church castle designed style architect'),
    persona('craft hobbyist', 'knitting yarn sewing paint wood craft'),
  ],
  'Commerce & Economics': [
    persona('macroeconomist', 'gdp growth inflation unemployment debt economy'),
    persona('trade analyst', 'exports imports trade partners tariff commodities'),
    persona('financial analyst', 'revenue profit shares stock dividend company'),
    persona('budget officer', 'budget tax expenditures revenues debt fiscal'),
    persona('foreign exchange trader', 'currency exchange rate dollar euro reserves'),
    persona('small business owner', 'cost price customer business shop loan'),
    persona('accounting student', 'balance account asset liability margin fixed'),
    persona('development economist', 'poverty income gini household remittances labor'),
  ],
  'Medicine & Health': [
    persona('medical student', 'disease symptom diagnosis treatment anatomy cell'),
    persona('nurse', 'patient care dose blood pressure wound'),
    persona('public health officer', 'mortality health physician vaccine sanitation epidemic'),
    persona('pharmacist', 'drug dose tablet antibiotic prescription'),
    persona('nutritionist', 'vitamin diet nutrition calorie obesity mineral'),
    persona('medical historian', 'discovered surgeon century first vaccine'),
    persona('patient educator', 'treatment symptom exercise sleep risk'),
    persona('physiotherapist', 'muscle bone joint exercise pain'),
  ],
  Education: [
    persona('school teacher', 'pupil classroom lesson teacher reading'),
    persona('university applicant', 'university degree admission tuition campus'),
    persona('education policy analyst', 'expenditure enrolment literacy schooling rate'),
    persona('education researcher', 'learning study effect memory feedback'),
    persona('curriculum designer', 'curriculum course syllabus assessment exam'),
    persona('prospective parent', 'school children nursery primary kindergarten'),
    persona('adult learner', 'training course vocational skills certificate'),
    persona('historian of education', 'founded opened century first college'),
  ],
  Other: [
    persona('general knowledge reader', 'first named known largest oldest'),
    persona('quiz writer', 'year number name title record'),
    persona('literature student', 'novel poem author poet play book'),
    persona('music lover', 'music composer symphony song piano opera'),
    persona('art history student', 'painting artist painter sculpture portrait'),
    persona('sports fan', 'team match league medal player olympic'),
    persona('biographer', 'born died married life career'),
    persona('film enthusiast', 'film director actor cinema scene'),
  ],
};

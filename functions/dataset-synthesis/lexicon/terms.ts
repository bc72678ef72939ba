import type { Domain } from '../records.ts';

/** 80 to 150 telling words a domain, chosen for this project: the centroids of the builtin identify. */

const list = (words: string): readonly string[] => words.trim().split(/\s+/);

export const CENTROID_TERMS: Readonly<Record<Domain, readonly string[]>> = {
  Math: list(`
    theorem proof lemma corollary axiom conjecture equation inequality polynomial quadratic cubic root algebra geometry
    triangle circle polygon polyhedron angle radius diameter hypotenuse perimeter vertex vertices edge face parallel
    perpendicular sine cosine tangent logarithm exponent exponential derivative integral calculus limit convergence
    series sequence arithmetic geometric sum product quotient remainder divisor divisible multiple prime integer
    fraction decimal denominator numerator rational irrational real complex imaginary matrix matrices determinant
    eigenvalue vector scalar tensor set subset union intersection function mapping domain codomain bijection
    permutation combination factorial binomial probability random dice expectation variance deviation mean median
    distribution statistics topology graph node combinatorics congruent modulo modular group ring field symmetry
    infinity infinite finite pi fibonacci euler pythagoras euclid gauss solve calculate compute multiply divide add
    subtract odd even square cube mathematician mathematics`),
  'Technology & Engineering': list(`
    engine engineer engineering machine machinery mechanical motor turbine piston cylinder diesel steam boiler gear
    bearing valve pump pipe pipeline bridge tunnel dam tower crane beam girder truss cable concrete steel alloy weld
    rivet construction structural load stress corrosion railway railways locomotive train track gauge electrified rail
    aircraft airports airport heliports runway aviation airline rocket satellite launch spacecraft space orbit vehicle
    automobile car tyre brake ship hull vessel merchant tanker carrier port ports harbour lock canal lighthouse
    electricity electric electrical voltage circuit transistor semiconductor chip microprocessor battery lithium
    generator grid generating capacity kilowatt watt power energy solar wind nuclear reactor hydroelectric petroleum
    refinery coal gas fuel telephone telephones mobile cellular broadband internet broadcast radio television antenna
    fibre telecommunications subscriptions wireless network sensor robot robotics laser printer manufacturing device
    prototype patent inventor`),
  Coding: list(`
    code coding program programming programmer software developer compiler interpreter runtime syntax function method
    class object variable constant parameter argument return loop recursion iterator array list tuple dictionary
    hashmap string integer boolean null undefined exception error throw catch debug debugger stack heap pointer
    memory garbage thread process async await promise callback api endpoint http https request response json xml yaml
    html css javascript typescript python java rust golang ruby php sql query database index schema transaction
    commit branch merge git repository library package module import export dependency install npm pip command
    terminal shell bash script flag option default config configuration file path directory parse parser regex
    token encode decode utf unicode hash cache server client browser algorithm sort search binary complexity test
    unit deploy container docker kubernetes linux version deprecated`),
  'Social Science': list(`
    society social sociology anthropology politics political government parliament parliamentary legislature
    legislative congress senate assembly chamber seats election elections electoral vote voter suffrage party parties
    president prime minister cabinet monarch king queen monarchy republic constitution constitutional amendment
    democracy law legal court courts judge judicial justice supreme citizenship citizen nationality independence
    sovereignty treaty diplomatic ambassador embassy chancery war army military armed forces troops defence defense
    conscription navy alliance empire colony colonial revolution rebellion coup regime dictatorship invasion
    occupation territory border dynasty century medieval ancient history historian historical archaeology census
    population demographic demographics ethnic ethnicity migration refugee refugees displaced trafficking urbanization
    urban rural religion religious language languages culture cultural tradition community gender class inequality
    family marriage crime police prison psychology behaviour survey nation national nato terrorism peace union`),
  'Natural Science': list(`
    science scientist physics chemistry biology geology geography astronomy ecology climate temperate tropical arid
    weather rainfall precipitation temperature winter summer terrain elevation mountain mountains peak volcano
    volcanic earthquake tectonic plate rock mineral crystal sediment fossil erosion glacier ice ocean sea lake river
    watershed drainage basin coastline island reef current tide wave atmosphere air carbon dioxide oxygen nitrogen
    hydrogen atom atomic molecule molecular electron proton neutron nucleus isotope element periodic acid base
    reaction compound metal gas liquid solid heat energy force mass gravity velocity acceleration light photon optics
    magnetic quantum relativity star planet moon galaxy telescope solar orbit comet asteroid cell organism species
    genus animal mammal bird insect fish plant tree flower leaf seed photosynthesis evolution gene genetics dna
    protein enzyme bacteria predator prey habitat biodiversity forest deforestation desertification pollution
    emissions environment environmental arable pasture land`),
  'Travel & Lifestyle': list(`
    travel traveller tourist tourism tour trip journey itinerary guide guidebook visit visitor sightseeing attraction
    landmark museum gallery castle palace cathedral church chapel square market festival town city village beach
    coast island resort hotel hostel inn camping campsite hike hiking trail walk walking path cycling ferry cruise
    railcard ticket timetable luggage passport visa holiday vacation weekend restaurant cafe cuisine recipe cook
    cooking bake baking oven dough flour butter sugar salt egg eggs onion garlic potato cheese bread cake soup stew
    sauce simmer boil fry roast grill stir whisk knead ingredient ingredients tablespoon teaspoon serve dish meal
    breakfast dinner wine beer coffee tea garden gardening plant sow prune compost pruning fashion clothes knitting
    sewing yarn decorate home furniture hobby craft pet dog cat fitness leisure scenic spa harbour promenade`),
  'Commerce & Economics': list(`
    economy economic economics economist commerce trade trading market price prices inflation deflation gdp growth
    income wage wages salary labor labour employment unemployment poverty household expenditure budget revenue
    revenues expenditures tax taxes taxation debt deficit surplus account balance export exports import imports
    tariff customs currency exchange rate rates dollar euro bank banking central interest loan credit mortgage bond
    stock share shares shareholder dividend investor investment invest fund capital asset liability equity
    accounting accountant audit profit loss margin cost costs fixed variable sales seller buyer consumer customer
    retail wholesale supplier supply demand monopoly competition firm company corporation business entrepreneur
    startup merger industry industrial industries agricultural manufacturing productivity sector services commodity
    commodities remittances reserves gini insurance premium marketing advertising brand invoice contract purchasing
    parity fiscal monetary subsidy`),
  'Medicine & Health': list(`
    medicine medical health healthcare hospital clinic doctor physician physicians nurse surgeon surgery patient
    patients disease illness infection infectious virus viral bacteria bacterial vaccine vaccination immunity immune
    antibody antibiotic penicillin drug dose dosage tablet pill prescription pharmacy treatment therapy symptom
    symptoms fever cough pain headache diagnosis diagnose screening blood pressure heart cardiac artery vein lung
    lungs liver kidney pancreas insulin diabetes glucose hormone thyroid brain nerve neuron stroke bone bones
    skeleton muscle joint skin eye ear tooth teeth dental cancer tumour tumor chemotherapy radiation pregnancy birth
    infant maternal mortality fertility contraceptive life expectancy obesity smoking tobacco alcohol nutrition
    nutrient vitamin mineral calorie diet protein fibre exercise sleep mental depression anxiety psychiatry
    epidemic pandemic hygiene sanitation wound bandage allergy asthma anatomy physiology`),
  Education: list(`
    education educational school schools schooling primary secondary tertiary kindergarten nursery preschool
    university universities college campus faculty department degree bachelor master doctorate diploma certificate
    student students pupil pupils teacher teachers teaching professor lecturer tutor instructor head headteacher
    classroom class lesson lessons curriculum syllabus course courses lecture seminar homework assignment essay exam
    examination test grade grades marks assessment rubric textbook learning learn learner learners literacy reading
    writing spelling handwriting phonics numeracy enrolment enrollment admission tuition scholarship fees academic
    semester term graduate graduation undergraduate alumni research pedagogy pedagogical didactic montessori
    apprenticeship vocational training trainee skills memory attention feedback motivation inclusion special
    library librarian playground principal dean chancellor founded`),
  Other: list(`
    art artist painter painting sculpture sculptor portrait canvas museum music musician composer symphony opera
    orchestra piano violin guitar song singer album band concert melody rhythm novel novelist poet poem poetry
    literature author play playwright theatre theater drama actor actress film movie director cinema television
    comedy character fiction story tale myth mythology legend god goddess saint bible prayer church faith buddhist
    philosophy philosopher ethics logic sport sports football soccer cricket tennis rugby hockey basketball baseball
    chess olympic medal championship league team player coach goal score match game games board cards puzzle toy
    flag anthem emblem heraldry stamp coin collector dance ballet costume magic ceremony biography born died
    married childhood daughter son brother architecture photograph photographer comic`),
};

import { shot, type Shot } from './shot.ts';

const cable = {
  title: 'Harrow Sound suspension bridge',
  text: `The Harrow Sound bridge carries its deck on two main cables, each spun from 9,120 parallel steel wires. The towers rise 148 metres above the water. Dehumidified air has been pumped through the cables since 2006 to stop corrosion.`,
};
const diesel = {
  title: 'Compression ignition',
  text: `In a diesel engine the fuel is lit by heat alone: air compressed to about a twentieth of its volume grows hot enough to ignite the injected spray. Rudolf Diesel ran his first successful engine at Augsburg in 1897.`,
};
const battery = {
  title: 'Charging a lithium-ion cell',
  text: `A common lithium-ion cell is charged at constant current up to 4.2 volts, then held at that voltage while the current falls. Its anode is usually graphite. Charging below 0 °C plates metallic lithium on the anode and can ruin the cell.`,
};

export const TECHNOLOGY: readonly Shot[] = [
  shot(cable, 'structural engineer', 'From how many parallel steel wires is each main cable of the Harrow Sound suspension bridge spun?', '9,120', 'number', 'The Harrow Sound bridge carries its deck on two main cables, each spun from 9,120 parallel steel wires.'),
  shot(cable, 'maintenance planner', 'In what year did pumping of dehumidified air through the cables of the Harrow Sound bridge begin?', '2006', 'date', 'Dehumidified air has been pumped through the cables since 2006 to stop corrosion.'),
  shot(diesel, 'history of technology student', 'In which city did Rudolf Diesel run the first successful engine of his design, in 1897?', 'Augsburg', 'name', 'Rudolf Diesel ran his first successful engine at Augsburg in 1897.'),
  shot(diesel, 'mechanic in training', 'What alone lights the fuel in an engine of the type that Rudolf Diesel built?', 'heat', 'phrase', 'In a diesel engine the fuel is lit by heat alone: air compressed to about a twentieth of its volume grows hot enough to ignite the injected spray.', ['the heat of compressed air']),
  shot(battery, 'electronics hobbyist', 'Up to what voltage is a common lithium-ion (Li-ion) cell charged before the voltage is held steady?', '4.2 volts', 'quantity', 'A common lithium-ion cell is charged at constant current up to 4.2 volts, then held at that voltage while the current falls.', ['4.2 V']),
  shot(battery, 'battery safety officer', 'Below which temperature does charging a lithium-ion (Li-ion) cell plate metallic lithium on its anode?', '0 °C', 'quantity', 'Charging below 0 °C plates metallic lithium on the anode and can ruin the cell.', ['32 °F']),
]; // prettier-ignore

// One virtual AGV of npm's vda-5050-lib, VDA 5050 2.0, as a process of its own.
//
// Started by tests/live/counterparts/vehicle.py; everything about the vehicle comes as one JSON
// object in the environment variable VEHICLE (see `options` below). Prints one JSON object a line
// on stdout about what the *vehicle* did: that is what the tests count, apart from the gateway.
import { AgvController, VirtualAgvAdapter } from "vda-5050-lib";
import { readFileSync } from "node:fs";

const options = {
  brokerUrl: "",          // mqtts://127.0.0.1:port
  caFile: "",             // PEM of the authority that signed the broker's certificate
  username: "",
  password: "",
  interfaceName: "uagv",
  manufacturer: "",
  serialNumber: "",
  map: "hall",
  x: 0, y: 0,
  lastNodeId: "home",
  speed: 2,               // m/s; an edge's maxSpeed may slow it down, never speed it up
  timeLapse: 1,           // how many simulated seconds pass in a real one
  battery: 100,
  extraActions: ["inspect"],
  rejectOrders: false,    // refuse every order, in the library's own way
  publishStateIntervalMs: 5000,
  ...JSON.parse(process.env.VEHICLE ?? "{}"),
};

const say = (event, details = {}) =>
  process.stdout.write(JSON.stringify({ event, at: new Date().toISOString(), ...details }) + "\n");

class Adapter extends VirtualAgvAdapter {
  get name() { return "LiveTestAdapter"; }

  // The library's adapter looks its actions up here; more are added the way its docs show.
  get actionDefinitions() {
    const noop = super.actionDefinitions.find(a => a.actionType === "noop");
    return super.actionDefinitions.concat(options.extraActions.map(actionType => ({
      ...noop,
      actionType,
      transitions: {
        ...noop.transitions,
        FINISHED: { resultDescription: () => `${actionType} done` },
      },
    })));
  }

  // A non-empty list is how an adapter says no: the controller then rejects the order with a
  // noRouteError and never starts it.
  isRouteTraversable(context) {
    if (options.rejectOrders) {
      return [{ referenceKey: AgvController.REF_KEY_ERROR_DESCRIPTION_DETAIL,
                referenceValue: "route is blocked" }];
    }
    return super.isRouteTraversable(context);
  }
}

class Vehicle extends AgvController {
  #reported = { orderId: "", orderUpdateId: -1, actions: new Map(), errors: new Set(), done: "" };

  // The library keeps one such callback, the controller's own; this one comes before it.
  registerConnectionStateChange(callback) {
    super.registerConnectionStateChange((state, before) => {
      say("connection", { state });
      callback(state, before);
    });
  }

  onStateChanged() {
    const state = this.currentState;
    const order = { orderId: state.orderId, orderUpdateId: state.orderUpdateId };
    const seen = this.#reported;
    if (state.orderId && (state.orderId !== seen.orderId || state.orderUpdateId !== seen.orderUpdateId)) {
      if (state.orderId !== seen.orderId) seen.actions.clear();
      Object.assign(seen, order);
      say("order accepted", order);
    }
    for (const error of state.errors) {
      const key = JSON.stringify(error);
      if (!seen.errors.has(key)) say("error", { error });
    }
    seen.errors = new Set(state.errors.map(error => JSON.stringify(error)));
    for (const { actionId, actionType, actionStatus } of state.actionStates) {
      if (seen.actions.get(actionId) === actionStatus) continue;
      seen.actions.set(actionId, actionStatus);
      if (actionStatus === "FINISHED" || actionStatus === "FAILED") {
        say("action ended", { ...order, actionId, actionType, actionStatus });
      }
    }
    // `accept` sets the order's id and its node states in one step, so this can't fire too early.
    const key = `${state.orderId} ${state.orderUpdateId}`;
    if (state.orderId && !this.hasActiveOrder && !this.hasCancelingOrder && seen.done !== key) {
      seen.done = key;
      const { x, y } = state.agvPosition;
      say("order ended", { ...order, lastNodeId: state.lastNodeId, x, y });
    }
  }
}

const vehicle = new Vehicle(
  { manufacturer: options.manufacturer, serialNumber: options.serialNumber },
  {
    interfaceName: options.interfaceName,
    vdaVersion: "2.0.0",
    transport: {
      brokerUrl: options.brokerUrl,
      username: options.username,
      password: options.password,
      tlsOptions: options.caFile ? { ca: readFileSync(options.caFile) } : {},
      reconnectPeriod: 500,
    },
  },
  { agvAdapterType: Adapter, publishStateInterval: options.publishStateIntervalMs,
    publishVisualizationInterval: 0 },
  {
    initialPosition: { mapId: options.map, x: options.x, y: options.y, theta: 0,
                       lastNodeId: options.lastNodeId },
    initialBatteryCharge: options.battery,
    vehicleSpeed: options.speed,
    timeLapse: options.timeLapse,
    tickRate: 20,
  },
);

process.on("SIGTERM", () => vehicle.stop().finally(() => process.exit(0)));
await vehicle.start();
say("started", { serialNumber: options.serialNumber });

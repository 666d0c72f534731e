package de.bwaldvogel.mongo.backend;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.net.InetSocketAddress;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;

import de.bwaldvogel.mongo.MongoVersion;
import de.bwaldvogel.mongo.bson.Document;
import de.bwaldvogel.mongo.exception.MongoServerError;
import de.bwaldvogel.mongo.exception.MongoServerException;
import de.bwaldvogel.mongo.exception.MongoSilentServerException;
import de.bwaldvogel.mongo.wire.MongoDatabaseHandler;
import de.bwaldvogel.mongo.wire.MongoExceptionHandler;
import de.bwaldvogel.mongo.wire.MongoWireMessageEncoder;
import de.bwaldvogel.mongo.wire.MongoWireProtocolHandler;
import de.bwaldvogel.mongo.wire.MongoWireReplyEncoder;
import de.bwaldvogel.mongo.wire.message.ClientRequest;
import de.bwaldvogel.mongo.wire.message.MessageHeader;
import de.bwaldvogel.mongo.wire.message.MongoMessage;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.buffer.ByteBuf;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.group.ChannelGroup;
import io.netty.channel.group.DefaultChannelGroup;
import io.netty.channel.nio.NioEventLoopGroup;
import io.netty.channel.socket.SocketChannel;
import io.netty.channel.socket.nio.NioServerSocketChannel;

/**
 * mongo-java-server for tests on a machine without MongoDB: in memory, with indexes that are used ({@link OrderedIndex}),
 * answers as a real server gives them where tests look at them, and the `failCommand` fail point of a real server.
 *
 * <p>Prints its port. Lines on stdin: `down` closes the port and every connection and keeps the data, `up` opens it again;
 * the end of stdin ends the process, so it never outlives the test that started it.
 */
public final class TestServer {

    public static void main(String[] args) throws Exception {
        Backend backend = new Backend();
        backend.version(new MongoVersion() {
            @Override
            public List<Integer> getVersionArray() {
                return List.of(5, 0, 0);
            }

            /** What 5.0 says; the constant of mongo-java-server says 8, with which no current driver talks. */
            @Override
            public int getWireVersion() {
                return 13;
            }
        });
        InetSocketAddress address = new InetSocketAddress("127.0.0.1", args.length > 0 ? Integer.parseInt(args[0]) : 0);
        Port port = new Port(backend, address);
        address = new InetSocketAddress(address.getAddress(), port.number());
        System.out.println("listening " + port.number());
        BufferedReader commands = new BufferedReader(new InputStreamReader(System.in));
        for (String line = commands.readLine(); line != null; line = commands.readLine()) {
            if (line.equals("down") && port != null) {
                port.close();
                port = null;
                System.out.println("down");
            } else if (line.equals("up") && port == null) {
                port = new Port(backend, address);
                System.out.println("up");
            } else {
                System.out.println("ignored " + line);
            }
        }
        Runtime.getRuntime().halt(0);
    }

    /** An open port. The one of mongo-java-server closes the connection of a client that sends too large a document. */
    private static final class Port {
        private final EventLoopGroup loops = new NioEventLoopGroup();
        private final ChannelGroup clients = new DefaultChannelGroup(loops.next());
        private final Channel listener;

        Port(Backend backend, InetSocketAddress address) {
            listener = new ServerBootstrap().group(loops).channel(NioServerSocketChannel.class)
                .childOption(ChannelOption.TCP_NODELAY, true)
                .childHandler(new ChannelInitializer<SocketChannel>() {
                    @Override
                    public void initChannel(SocketChannel client) {
                        client.pipeline().addLast(new MongoWireReplyEncoder(), new MongoWireMessageEncoder(), new Requests(),
                            new MongoDatabaseHandler(backend, clients), new MongoExceptionHandler());
                    }
                }).bind(address).syncUninterruptibly().channel();
        }

        int number() {
            return ((InetSocketAddress) listener.localAddress()).getPort();
        }

        void close() {
            listener.close().syncUninterruptibly();
            clients.close().syncUninterruptibly();
            loops.shutdownGracefully(0, 1, TimeUnit.SECONDS).syncUninterruptibly();
        }
    }

    private static final class Requests extends MongoWireProtocolHandler {
        @Override
        protected ClientRequest decode(ChannelHandlerContext context, ByteBuf bytes) throws Exception {
            int start = bytes.readerIndex();
            try {
                return super.decode(context, bytes);
            } catch (IllegalArgumentException e) {
                if (!String.valueOf(e.getMessage()).startsWith("BSON object too large")) {
                    throw e;
                }
                bytes.readerIndex(start + bytes.getIntLE(start));
                Document answer = new Document("ok", 0.0).append("errmsg", e.getMessage()).append("code", 10334)
                    .append("codeName", "BSONObjectTooLarge");
                MessageHeader header = new MessageHeader(0, bytes.getIntLE(start + 4));
                context.channel().writeAndFlush(new MongoMessage(context.channel(), header, answer));
                return null;
            }
        }
    }

    /** Commands as a real server answers them. */
    static final class Backend extends AbstractMongoBackend {
        private final FailPoint failPoint = new FailPoint();
        private final Served served = new Served();

        /** First stage of the aggregation that this thread runs, so that it need not look at every document. */
        static final ThreadLocal<Document> MATCH = new ThreadLocal<>();

        @Override
        protected Database openOrCreateDatabase(String name) {
            return new Database(name, getCursorRegistry());
        }

        /** Data survive what a test calls a restart. */
        @Override
        public void close() {
        }

        @Override
        public Document handleCommand(Channel channel, String database, String command, Document query) {
            OrderedIndex.Problems.take();
            if (command.equals("configureFailPoint")) {
                failPoint.configure(query);
                return new Document("ok", 1.0);
            }
            long began = System.nanoTime();
            try {
                return failPoint.around(channel, command, query, () -> answer(channel, database, command, query));
            } finally {
                served.count(command, System.nanoTime() - began);
            }
        }

        private Document answer(Channel channel, String database, String command, Document query) {
            switch (command) {
                case "serverStatus":
                    return served.addTo(super.handleCommand(channel, "admin", command, query));
                case "hello":
                    Document hello = super.handleCommand(channel, database, "ismaster", query);
                    hello.put("isWritablePrimary", true);
                    return hello;
                case "find":
                    // what a client gets that does not say how much it wants
                    query.putIfAbsent("batchSize", 101);
                    return super.handleCommand(channel, database, command, query);
                case "getMore":
                    query.putIfAbsent("batchSize", Integer.MAX_VALUE);
                    return super.handleCommand(channel, database, command, query);
                case "insert":
                    return inserted(query, super.handleCommand(channel, database, command, query));
                case "update":
                    return eachWrite(channel, database, command, query, "updates");
                case "delete":
                    return eachWrite(channel, database, command, query, "deletes");
                case "drop":
                    try {
                        return super.handleCommand(channel, database, command, query);
                    } catch (MongoSilentServerException notThere) {
                        return new Document("ok", 1.0);
                    }
                case "aggregate":
                    return aggregate(channel, database, command, query);
                default:
                    return super.handleCommand(channel, database, command, query);
            }
        }

        private Document aggregate(Channel channel, String database, String command, Document query) {
            Object pipeline = query.get("pipeline");
            if (pipeline instanceof List && !((List<?>) pipeline).isEmpty()) {
                Object first = ((List<?>) pipeline).get(0);
                Object match = first instanceof Document ? ((Document) first).get("$match") : null;
                if (match instanceof Document && query.get(command) instanceof String) {
                    MATCH.set((Document) match);
                }
            }
            try {
                return super.handleCommand(channel, database, command, query);
            } finally {
                MATCH.remove();
            }
        }

        /** Counts what was inserted, not what was asked for. */
        private static Document inserted(Document query, Document answer) {
            List<Document> errors = errors(answer);
            if (!errors.isEmpty()) {
                boolean ordered = !query.containsKey("ordered") || Utils.isTrue(query.get("ordered"));
                int asked = ((Collection<?>) query.get("documents")).size();
                answer.put("n", ordered ? ((Number) errors.get(0).get("index")).intValue() : asked - errors.size());
                answer.put("writeErrors", asReal(errors));
            }
            return answer;
        }

        /** One after the other: an ordered command ends with the first error, and an error of a delete is one of many. */
        private Document eachWrite(Channel channel, String database, String command, Document query, String list) {
            boolean ordered = !query.containsKey("ordered") || Utils.isTrue(query.get("ordered"));
            int matched = 0;
            int modified = 0;
            List<Document> upserted = new ArrayList<>();
            List<Document> errors = new ArrayList<>();
            int index = 0;
            for (Object write : (Collection<?>) query.get(list)) {
                Document single = query.clone();
                single.put(list, List.of(write));
                Document error = null;
                try {
                    Document answer = super.handleCommand(channel, database, command, single);
                    matched += ((Number) answer.get("n")).intValue();
                    modified += ((Number) answer.getOrDefault("nModified", 0)).intValue();
                    for (Object one : (Collection<?>) answer.getOrDefault("upserted", List.of())) {
                        upserted.add(new Document("index", index).append("_id", ((Document) one).get("_id")));
                    }
                    error = errors(answer).stream().findFirst().orElse(null);
                } catch (MongoServerException e) {
                    int code = e instanceof MongoServerError ? ((MongoServerError) e).getCode() : 8;
                    error = new Document("code", code).append("errmsg", e.getMessageWithoutErrorCode());
                }
                if (error != null) {
                    error.put("index", index);
                    errors.add(error);
                    if (ordered) {
                        break;
                    }
                }
                index++;
            }
            Document answer = new Document("n", matched);
            if (command.equals("update")) {
                answer.put("nModified", modified);
            }
            if (!upserted.isEmpty()) {
                answer.put("upserted", upserted);
            }
            if (!errors.isEmpty()) {
                answer.put("writeErrors", asReal(errors));
            }
            return answer.append("ok", 1.0);
        }

        @SuppressWarnings("unchecked")
        private static List<Document> errors(Document answer) {
            return (List<Document>) answer.getOrDefault("writeErrors", List.of());
        }

        /** The fields of a real server, in its order: the index and the values of a duplicate key, no codeName. */
        private static List<Document> asReal(List<Document> errors) {
            Iterator<Document> duplicates = OrderedIndex.Problems.take().iterator();
            return errors.stream().map(error -> {
                Document real = new Document("index", error.get("index")).append("code", error.get("code"))
                    .append("errmsg", error.get("errmsg"));
                if (Objects.equals(error.get("code"), 11000) && duplicates.hasNext()) {
                    real.putAll(duplicates.next());
                }
                return real;
            }).collect(Collectors.toList());
        }
    }

    /** What serverStatus says of the commands so far: how many of each, and how many microseconds they took by kind. */
    static final class Served {
        private static final Map<String, String> KINDS = Map.of("find", "reads", "getMore", "reads", "aggregate", "reads",
            "count", "reads", "distinct", "reads", "insert", "writes", "update", "writes", "delete", "writes",
            "findAndModify", "writes");

        private final Map<String, LongAdder> totals = new ConcurrentHashMap<>();
        private final Map<String, LongAdder> nanos = new ConcurrentHashMap<>();

        void count(String command, long took) {
            totals.computeIfAbsent(command, name -> new LongAdder()).increment();
            nanos.computeIfAbsent(KINDS.getOrDefault(command, "commands"), kind -> new LongAdder()).add(took);
        }

        Document addTo(Document status) {
            Document commands = new Document();
            totals.forEach((name, total) -> commands.put(name, new Document("total", total.sum())));
            Document latencies = new Document();
            nanos.forEach((kind, sum) -> latencies.put(kind, new Document("latency", sum.sum() / 1000)));
            return status.append("opLatencies", latencies).append("metrics", new Document("commands", commands));
        }
    }

    /**
     * `failCommand` as the fail points of mongod have it: mode `off`, `alwaysOn`, `{times: n}` or `{skip: n}`, data with
     * failCommands and one of errorCode, closeConnection or writeConcernError. `writeErrors` is ours: the first document
     * of the command is refused and nothing is written, as an error that mongod gives for a document.
     */
    static final class FailPoint {
        private static final Map<Object, String> CODE_NAMES = Map.of(50, "MaxTimeMSExpired", 64, "WriteConcernTimeout",
            91, "ShutdownInProgress", 189, "PrimarySteppedDown", 10107, "NotWritablePrimary", 11000, "DuplicateKey",
            11602, "InterruptedDueToReplStateChange", 13435, "NotPrimaryNoSecondaryOk", 14031, "OutOfDiskSpace");

        private Document data = new Document();
        private int times;
        private int skip;

        synchronized void configure(Document query) {
            if (!"failCommand".equals(query.get("configureFailPoint"))) {
                throw new MongoServerError(15, "FailPointSetFailed", query.get("configureFailPoint") + " not found");
            }
            Object mode = query.get("mode");
            data = (Document) query.getOrDefault("data", new Document());
            skip = 0;
            times = "alwaysOn".equals(mode) ? Integer.MAX_VALUE : 0;
            if (mode instanceof Document) {
                Document counts = (Document) mode;
                skip = ((Number) counts.getOrDefault("skip", 0)).intValue();
                times = ((Number) counts.getOrDefault("times", Integer.MAX_VALUE)).intValue();
            }
        }

        private synchronized Document take(String command) {
            Object names = data.get("failCommands");
            if (times == 0 || !(names instanceof Collection) || !((Collection<?>) names).contains(command)) {
                return null;
            }
            if (skip > 0) {
                skip--;
                return null;
            }
            if (times != Integer.MAX_VALUE) {
                times--;
            }
            return data;
        }

        Document around(Channel channel, String command, Document query, Supplier<Document> run) {
            Document failure = take(command);
            if (failure == null) {
                return run.get();
            }
            if (Utils.isTrue(failure.get("closeConnection"))) {
                channel.close();
                return new Document("ok", 1.0);
            }
            if (failure.containsKey("errorCode")) {
                Document answer = new Document("ok", 0.0)
                    .append("errmsg", failure.getOrDefault("errmsg", "Failing command via 'failCommand' failpoint"))
                    .append("code", failure.get("errorCode"))
                    .append("codeName", CODE_NAMES.getOrDefault(failure.get("errorCode"), "Location" + failure.get("errorCode")));
                if (failure.containsKey("errorLabels")) {
                    answer.put("errorLabels", failure.get("errorLabels"));
                }
                return answer;
            }
            if (failure.containsKey("writeErrors")) {
                Document answer = new Document("n", 0);
                if (command.equals("update")) {
                    answer.put("nModified", 0);
                }
                return answer.append("writeErrors", failure.get("writeErrors")).append("ok", 1.0);
            }
            Document answer = run.get();
            answer.put("writeConcernError", failure.get("writeConcernError"));
            return answer;
        }
    }

    static final class Database extends AbstractSynchronizedMongoDatabase<Integer> {
        /** The description that is being made an index of; the methods that make it are not told everything. */
        private Document description;

        Database(String name, CursorRegistry cursorRegistry) {
            super(name, cursorRegistry);
            initializeNamespacesAndIndexes();
        }

        @Override
        protected Stored openOrCreateCollection(String name, CollectionOptions options) {
            return new Stored(this, name, options, cursorRegistry);
        }

        @Override
        protected synchronized void addIndex(Document indexDescription) {
            Document outer = description;
            description = indexDescription;
            try {
                super.addIndex(indexDescription);
            } finally {
                description = outer;
            }
        }

        @Override
        protected Index<Integer> openOrCreateUniqueIndex(String collection, String name, List<IndexKey> keys, boolean sparse) {
            return index(name, keys, true, sparse);
        }

        @Override
        protected Index<Integer> openOrCreateSecondaryIndex(String collection, String name, List<IndexKey> keys, boolean sparse) {
            return index(name, keys, false, sparse);
        }

        private Index<Integer> index(String name, List<IndexKey> keys, boolean unique, boolean sparse) {
            // making the collection of an index makes its _id index in between
            Document own = description != null && name.equals(description.get("name")) ? description : new Document();
            Document partial = (Document) own.get("partialFilterExpression");
            Document key = (Document) own.getOrDefault("key", new Document());
            boolean usable = key.values().stream().allMatch(direction -> direction instanceof Number);
            return new OrderedIndex(name, keys, unique, sparse, partial, usable);
        }

        @Override
        protected long getStorageSize() {
            return 0;
        }

        @Override
        protected long getFileSize() {
            return 0;
        }
    }

    /** Documents in the order of their arrival. */
    static final class Stored extends AbstractSynchronizedMongoCollection<Integer> {
        private final List<Document> documents = new ArrayList<>();
        private final ArrayDeque<Integer> free = new ArrayDeque<>();
        private long dataSize;
        /** The running command changes what it finds; everybody else gets copies, which an update cannot change. */
        private boolean changing;
        private boolean onlyOne;

        Stored(Database database, String name, CollectionOptions options, CursorRegistry cursorRegistry) {
            super(database, name, options, cursorRegistry);
        }

        // ---- finding

        @Override
        protected QueryResult queryDocuments(Document query, Document orderBy, int skip, int limit, int batchSize,
                                             Document fields) {
            int most = onlyOne ? 1 : limit;
            boolean anyOrder = orderBy == null || orderBy.isEmpty();
            OrderedIndex.Conditions conditions = new OrderedIndex.Conditions(query);
            List<Race> races = new ArrayList<>();
            if (!conditions.isEmpty() || !anyOrder) {
                for (Index<Integer> index : getIndexes()) {
                    OrderedIndex.Plan plan = ((OrderedIndex) index).plan(conditions, orderBy);
                    if (plan != null) {
                        races.add(new Race(plan, anyOrder, most > 0 ? skip + most : Integer.MAX_VALUE));
                    }
                }
            }
            if (races.isEmpty()) {
                return matchDocuments(query, orderBy, skip, most, batchSize, fields);
            }
            Race won = winner(races);
            return matchDocumentsFromStream(won.found.stream(), won.filtered ? new Document() : won.plan.rest,
                anyOrder || won.plan.sorted ? null : orderBy, skip, most, batchSize, fields);
        }

        /** All step by step until the first one is through: no statistics are needed to find the best index. */
        private static Race winner(List<Race> races) {
            for (;;) {
                for (Race race : races) {
                    if (race.step()) {
                        return race;
                    }
                }
            }
        }

        private final class Race {
            final OrderedIndex.Plan plan;
            final boolean filtered;
            final List<Document> found = new ArrayList<>();
            private final int enough;

            Race(OrderedIndex.Plan plan, boolean anyOrder, int enough) {
                this.plan = plan;
                this.filtered = anyOrder || plan.sorted;
                this.enough = enough;
            }

            boolean step() {
                Integer position = plan.next();
                if (position == null) {
                    return true;
                }
                Document document = position < 0 ? null : documents.get(position);
                if (document != null && (!filtered || documentMatchesQuery(document, plan.rest))) {
                    found.add(document);
                }
                return filtered && found.size() >= enough;
            }
        }

        @Override
        protected QueryResult matchDocuments(Document query, Document orderBy, int skip, int limit, int batchSize,
                                             Document fields) {
            IntStream positions = IntStream.range(0, documents.size());
            if (isNaturalDescending(orderBy)) {
                int last = documents.size() - 1;
                positions = positions.map(position -> last - position);
            }
            Stream<Document> all = positions.mapToObj(documents::get).filter(Objects::nonNull);
            return matchDocumentsFromStream(all, query, orderBy, skip, limit, batchSize, fields);
        }

        @Override
        public synchronized QueryResult handleQuery(QueryParameters parameters) {
            QueryParameters asked = parameters;
            Document match = Backend.MATCH.get();
            if (match != null && !getCollectionName().startsWith("system.") && parameters.getQuerySelector().isEmpty()) {
                // the aggregation filters again; stages that look into other collections come without a filter as well
                Backend.MATCH.remove();
                asked = new QueryParameters(new Document("$query", match), 0, 0);
            }
            QueryResult result = super.handleQuery(asked);
            if (changing) {
                return result;
            }
            return new QueryResult(copies(result.collectDocuments()), result.getCursorId());
        }

        private static List<Document> copies(List<Document> documents) {
            // an update replaces values of the outermost document and changes none that is further in
            return documents.stream().map(Document::clone).collect(Collectors.toList());
        }

        @Override
        public synchronized int count(Document query, int skip, int limit) {
            return super.count(query, skip, limit);
        }

        @Override
        public synchronized int count() {
            return documents.size() - free.size();
        }

        /** A batch ends after 16 MiB, as everywhere. */
        @Override
        protected QueryResult createQueryResult(List<Document> matched, int batchSize) {
            if (batchSize <= 0 || matched.isEmpty()) {
                return new QueryResult(matched);
            }
            int end = batch(matched, batchSize);
            List<Document> first = matched.subList(0, end);
            return end == matched.size() ? new QueryResult(first)
                : new QueryResult(first, createCursor(matched.subList(end, matched.size())));
        }

        private static int batch(List<Document> documents, int most) {
            long size = 0;
            int end = 0;
            while (end < documents.size() && end < most) {
                size += OrderedIndex.Sizes.of(documents.get(end));
                if (size > OrderedIndex.MAX_DOCUMENT && end > 0) {
                    break;
                }
                end++;
            }
            return end;
        }

        @Override
        protected Cursor createCursor(List<Document> remaining) {
            Cursor cursor = new AbstractCursor(cursorRegistry.generateCursorId()) {
                private List<Document> rest = remaining;

                @Override
                public boolean isEmpty() {
                    return rest.isEmpty();
                }

                @Override
                public List<Document> takeDocuments(int count) {
                    synchronized (Stored.this) {
                        int end = batch(rest, count > 0 ? count : Integer.MAX_VALUE);
                        List<Document> taken = copies(rest.subList(0, end));
                        rest = rest.subList(end, rest.size());
                        return taken;
                    }
                }
            };
            cursorRegistry.add(cursor);
            return cursor;
        }

        // ---- changing

        private <T> T changing(Supplier<T> change) {
            changing = true;
            try {
                return change.get();
            } finally {
                changing = false;
                onlyOne = false;
            }
        }

        @Override
        public synchronized Document updateDocuments(Document selector, Document update, ArrayFilters filters,
                                                     boolean isMulti, boolean isUpsert, de.bwaldvogel.mongo.oplog.Oplog oplog) {
            return changing(() -> {
                onlyOne = !isMulti;
                return super.updateDocuments(selector, update, filters, isMulti, isUpsert, oplog);
            });
        }

        @Override
        public synchronized int deleteDocuments(Document selector, int limit, de.bwaldvogel.mongo.oplog.Oplog oplog) {
            return changing(() -> super.deleteDocuments(selector, limit, oplog));
        }

        @Override
        public synchronized Document findAndModify(Document query) {
            // the projection of mongo-java-server cannot stand that there was nothing
            Document rest = query.clone();
            Document fields = (Document) rest.remove("fields");
            Document answer = changing(() -> super.findAndModify(rest));
            Document value = (Document) answer.get("value");
            if (value != null) {
                answer.put("value", fields == null ? value.clone() : new Projection(fields, getIdField()).projectDocument(value));
            }
            return answer;
        }

        @Override
        public synchronized void addIndex(Index<Integer> index) {
            Document key = (Document) index.toIndexDescription().get("key");
            for (Index<Integer> known : getIndexes()) {
                if (!known.getName().equals(index.getName()) && known.toIndexDescription().get("key").equals(key)) {
                    throw new MongoServerError(85, "IndexOptionsConflict",
                        "Index already exists with a different name: " + known.getName());
                }
            }
            super.addIndex(index);
        }

        @Override
        public synchronized void dropIndex(String name) {
            super.dropIndex(name);
        }

        @Override
        protected Integer addDocumentInternal(Document document) {
            dataSize += OrderedIndex.Sizes.of(document);
            Integer position = free.poll();
            if (position == null) {
                documents.add(document);
                return documents.size() - 1;
            }
            documents.set(position, document);
            return position;
        }

        @Override
        protected void removeDocument(Integer position) {
            Document document = documents.get(position);
            for (Index<Integer> index : getIndexes()) {
                if (!index.isUnique()) {
                    ((OrderedIndex) index).remove(document, position);
                }
            }
            dataSize -= OrderedIndex.Sizes.of(document);
            documents.set(position, null);
            free.add(position);
        }

        @Override
        protected void handleUpdate(Integer position, Document oldDocument, Document newDocument) {
            dataSize += OrderedIndex.Sizes.of(newDocument) - OrderedIndex.Sizes.of(oldDocument);
        }

        @Override
        protected Document getDocument(Integer position) {
            return documents.get(position);
        }

        @Override
        protected Integer findDocumentPosition(Document document) {
            int position = documents.indexOf(document);
            return position < 0 ? null : position;
        }

        @Override
        protected Stream<DocumentWithPosition<Integer>> streamAllDocumentsWithPosition() {
            return IntStream.range(0, documents.size()).filter(position -> documents.get(position) != null)
                .mapToObj(position -> new DocumentWithPosition<>(documents.get(position), position));
        }

        // sizes are kept here, since the way of mongo-java-server encodes every document once more
        @Override
        protected boolean tracksDataSize() {
            return false;
        }

        @Override
        protected void updateDataSize(int sizeDelta) {
        }

        @Override
        protected int getDataSize() {
            return (int) Math.min(dataSize, Integer.MAX_VALUE);
        }

        @Override
        public synchronized Document getStats() {
            Document stats = super.getStats();
            stats.put("size", dataSize);
            return stats;
        }
    }
}

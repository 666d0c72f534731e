package de.bwaldvogel.mongo.backend;

import java.io.ByteArrayOutputStream;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.Set;
import java.util.TreeMap;
import java.util.UUID;

import de.bwaldvogel.mongo.MongoCollection;
import de.bwaldvogel.mongo.bson.BinData;
import de.bwaldvogel.mongo.bson.BsonRegularExpression;
import de.bwaldvogel.mongo.bson.Document;
import de.bwaldvogel.mongo.bson.MaxKey;
import de.bwaldvogel.mongo.bson.MinKey;
import de.bwaldvogel.mongo.bson.ObjectId;
import de.bwaldvogel.mongo.exception.DuplicateKeyError;
import de.bwaldvogel.mongo.exception.MongoServerError;

/**
 * An index that is used. The ones of mongo-java-server answer only a query for exactly their keys, and only when they
 * are unique; everything else is a scan, which makes a server with a million documents useless.
 *
 * <p>Keys are byte strings whose order is the order of MongoDB's values, in a tree. What comes out of the index is never
 * too little and may be too much: the caller filters with the normal matcher, so a query has the same result with and
 * without index. Where that cannot be promised ({@link #plan}) the index is not used.
 *
 * <p>In the package of mongo-java-server because it needs what is visible only there.
 */
final class OrderedIndex extends Index<Integer> {

    static final int MAX_DOCUMENT = 16 * 1024 * 1024;
    private static final int MAX_POINTS = 100_000;

    private final String[] paths;
    private final String[][] fragments;
    private final boolean unique;
    private final boolean sparse;
    private final Document partial;
    /** False for what has no order of values: text, hashed, and paths with positions of array elements. */
    private final boolean usable;
    private final TreeMap<byte[], Integer> tree = new TreeMap<>(Arrays::compareUnsigned);
    private final DefaultQueryMatcher matcher = new DefaultQueryMatcher();

    // what has ever been in here; never taken back, as in MongoDB
    private final boolean[] multikey;
    private boolean anyMultikey;
    /** Two keys through one array: only the first key is bound then, since {a.b: 1, a.c: 2} may match two elements. */
    private boolean paired;
    /** A value whose order as bytes is not the order of a sort. */
    private boolean unordered;

    // an insert asks for the keys of a document twice
    private Document lastDocument;
    private List<byte[]> lastKeys;

    OrderedIndex(String name, List<IndexKey> keys, boolean unique, boolean sparse, Document partial, boolean usable) {
        super(name, keys, sparse);
        this.paths = keys.stream().map(IndexKey::getKey).toArray(String[]::new);
        this.fragments = Arrays.stream(paths).map(path -> path.split("\\.", -1)).toArray(String[][]::new);
        this.unique = unique;
        this.sparse = sparse;
        this.partial = partial;
        this.multikey = new boolean[paths.length];
        boolean positions = Arrays.stream(fragments).flatMap(Arrays::stream).anyMatch(part -> part.matches("\\d*"));
        this.usable = usable && !positions;
    }

    // ---- keeping it

    @Override
    public void checkAdd(Document document, MongoCollection<Integer> collection) {
        if (isId()) {
            Sizes.check(document, 10334, "BSONObjectTooLarge", "object to insert too large. size in bytes: ");
        }
        checkUnique(document, null, collection);
    }

    @Override
    public void checkUpdate(Document oldDocument, Document newDocument, MongoCollection<Integer> collection) {
        if (isId()) {
            Sizes.check(newDocument, 17419, "Location17419", "Resulting document after update is larger than 16777216: ");
        }
        if (unique) {
            checkUnique(newDocument, getPosition(oldDocument), collection);
        } else {
            keys(newDocument);
        }
    }

    private void checkUnique(Document document, Integer own, MongoCollection<Integer> collection) {
        for (byte[] key : keys(document)) {
            Integer position = unique ? tree.get(key) : null;
            if (position != null && !position.equals(own)) {
                KeyValue values = valuesOf(document, key);
                Problems.duplicate(getKeys(), values);
                throw new DuplicateKeyError(this, collection, getKeys(), values);
            }
        }
    }

    @Override
    public void add(Document document, Integer position, MongoCollection<Integer> collection) {
        // again, since an index that is made of documents that are there checks all of them before it adds the first
        checkUnique(document, position, collection);
        for (byte[] key : keys(document)) {
            tree.put(unique ? key : at(key, position), position);
        }
        lastDocument = null;
    }

    @Override
    public Integer remove(Document document) {
        // only a unique index knows the position; the collection comes back with it for the others
        Integer position = null;
        if (unique) {
            for (byte[] key : keys(document)) {
                position = tree.remove(key);
            }
        }
        lastDocument = null;
        return position;
    }

    void remove(Document document, Integer position) {
        for (byte[] key : keys(document)) {
            tree.remove(unique ? key : at(key, position));
        }
        lastDocument = null;
    }

    @Override
    public void updateInPlace(Document oldDocument, Document newDocument, Integer position,
                              MongoCollection<Integer> collection) {
        List<byte[]> before = keys(oldDocument);
        List<byte[]> after = keys(newDocument);
        if (same(before, after)) {
            return;
        }
        before.forEach(key -> tree.remove(unique ? key : at(key, position)));
        after.forEach(key -> tree.put(unique ? key : at(key, position), position));
        lastDocument = null;
    }

    private static boolean same(List<byte[]> one, List<byte[]> other) {
        if (one.size() != other.size()) {
            return false;
        }
        for (int i = 0; i < one.size(); i++) {
            if (!Arrays.equals(one.get(i), other.get(i))) {
                return false;
            }
        }
        return true;
    }

    @Override
    public Integer getPosition(Document document) {
        if (!unique) {
            return null;
        }
        List<byte[]> keys = keys(document);
        return keys.isEmpty() ? null : tree.get(keys.get(0));
    }

    private boolean isId() {
        return paths.length == 1 && paths[0].equals("_id");
    }

    @Override
    public boolean isUnique() {
        return unique;
    }

    /** Says that a document may be missing in here, which is so for every index that is not the one of _id. */
    @Override
    protected boolean isSparse() {
        return !isId();
    }

    @Override
    public boolean hasSameOptions(Index<?> other) {
        return other instanceof OrderedIndex && ((OrderedIndex) other).toIndexDescription().equals(toIndexDescription());
    }

    @Override
    public Document toIndexDescription() {
        Document description = super.toIndexDescription();
        description.remove("sparse");
        if (sparse) {
            description.put("sparse", true);
        }
        if (partial != null) {
            description.put("partialFilterExpression", partial);
        }
        return description;
    }

    @Override
    public long getCount() {
        return tree.size();
    }

    @Override
    public long getDataSize() {
        return tree.size();
    }

    @Override
    public void drop() {
        tree.clear();
    }

    // the collection asks for plans instead
    @Override
    public boolean canHandle(Document query) {
        return false;
    }

    @Override
    public Iterable<Integer> getPositions(Document query) {
        throw new UnsupportedOperationException();
    }

    // ---- keys of a document

    /** Keys under which a document is found; none when a sparse or partial index leaves it out. */
    private List<byte[]> keys(Document document) {
        if (document == lastDocument) {
            return lastKeys;
        }
        List<byte[]> keys = new ArrayList<>(1);
        for (Object[] values : combinations(document)) {
            byte[] key = encode(values);
            if (keys.stream().noneMatch(known -> Arrays.equals(known, key))) {
                keys.add(key);
            }
        }
        lastDocument = document;
        lastKeys = keys;
        return keys;
    }

    private KeyValue valuesOf(Document document, byte[] key) {
        for (Object[] values : combinations(document)) {
            if (Arrays.equals(encode(values), key)) {
                return new KeyValue(Arrays.stream(values).map(value -> value == NULL ? null : value)
                    .map(value -> value instanceof Missing ? null : value).collect(java.util.stream.Collectors.toList()));
            }
        }
        throw new IllegalStateException("no such key");
    }

    private byte[] encode(Object[] values) {
        Bytes out = new Bytes();
        for (Object value : values) {
            unordered |= !out.value(value);
        }
        return out.toByteArray();
    }

    private List<Object[]> combinations(Document document) {
        if (partial != null && !matcher.matches(document, partial)) {
            return List.of();
        }
        boolean present = false;
        int arrays = 0;
        int many = 0;
        List<List<Object>> parts = new ArrayList<>(paths.length);
        for (int i = 0; i < paths.length; i++) {
            Object simple = fragments[i].length == 1 ? document.getOrMissing(paths[i]) : null;
            if (simple != null && !(simple instanceof Collection)) {
                present |= !(simple instanceof Missing);
                parts.add(List.of(simple));
                continue;
            }
            List<Object> found = new ArrayList<>(1);
            if (extract(document, fragments[i], 0, found)) {
                arrays++;
                many = i;
                multikey[i] = true;
                anyMultikey = true;
            }
            if (found.isEmpty()) {
                found.add(Bytes.EMPTY_ARRAY);
            }
            present |= found.stream().anyMatch(value -> !(value instanceof Missing));
            parts.add(found);
        }
        if (sparse && !present) {
            return List.of();
        }
        if (arrays > 1) {
            paired = true;
            List<Object[]> pairs = new ArrayList<>();
            getKeyValues(document, false).forEach(pair -> pairs.add(pair.stream().toArray()));
            return pairs;
        }
        List<Object[]> combinations = new ArrayList<>(parts.get(many).size());
        for (Object value : parts.get(many)) {
            Object[] values = parts.stream().map(part -> part.get(0)).toArray();
            values[many] = value;
            combinations.add(values);
        }
        return combinations;
    }

    /** What the matcher would compare at this path, in the order of the document; true when an array was on the way. */
    private static boolean extract(Object value, String[] path, int depth, List<Object> found) {
        if (value instanceof Collection) {
            for (Object element : (Collection<?>) value) {
                if (depth == path.length) {
                    found.add(element == null ? NULL : element);
                } else {
                    extract(element, path, depth, found);
                }
            }
            return true;
        }
        if (depth == path.length) {
            found.add(value == null ? NULL : value);
            return false;
        }
        Object next = value instanceof Document ? ((Document) value).getOrMissing(path[depth]) : Missing.getInstance();
        return extract(next, path, depth + 1, found);
    }

    /** Stands for null where a list cannot hold it; encoded like it, but the field is there. */
    private static final Object NULL = new Object();

    private static byte[] at(byte[] key, int position) {
        byte[] whole = Arrays.copyOf(key, key.length + 4);
        for (int i = 0; i < 4; i++) {
            whole[key.length + i] = (byte) (position >>> (24 - 8 * i));
        }
        return whole;
    }

    // ---- answering

    /** Positions in the order of the index; `sorted` when that is the order that was asked for. */
    static final class Plan {
        final boolean sorted;
        /** What is left to be looked at in a document that this index finds. */
        final Document rest;
        private final Iterator<NavigableMap<byte[], Integer>> ranges;
        private final Set<Integer> seen;
        private Iterator<Integer> current = List.<Integer>of().iterator();

        private Plan(boolean sorted, Document rest, Iterator<NavigableMap<byte[], Integer>> ranges, boolean repeats) {
            this.sorted = sorted;
            this.rest = rest;
            this.ranges = ranges;
            this.seen = repeats ? new HashSet<>() : null;
        }

        /** The next position, -1 for one that was there before, null at the end. */
        Integer next() {
            while (!current.hasNext()) {
                if (!ranges.hasNext()) {
                    return null;
                }
                current = ranges.next().values().iterator();
            }
            Integer position = current.next();
            return seen == null || seen.add(position) ? position : Integer.valueOf(-1);
        }
    }

    /** How this index would answer; null when it cannot. */
    Plan plan(Conditions query, Document orderBy) {
        if (!usable || (partial != null && !query.implies(partial, matcher))) {
            return null;
        }
        List<byte[]> prefixes = List.of(new byte[0]);
        Set<String> constant = new HashSet<>();
        Set<String> exact = new HashSet<>();
        boolean onePoint = true;
        boolean neverNull = false;
        Bounds range = null;
        int bound = 0;
        for (; bound < (paired ? 1 : paths.length); bound++) {
            Bounds bounds = query.bounds(paths[bound], multikey[bound]);
            if (bounds == null || (bounds.points != null && (long) prefixes.size() * bounds.points.size() > MAX_POINTS)) {
                break;
            }
            neverNull |= bounds.neverNull;
            if (bounds.points == null) {
                range = bounds;
                break;
            }
            if (bounds.neverNull && query.isExact(paths[bound])) {
                exact.add(paths[bound]);
            }
            onePoint &= bounds.points.size() == 1;
            constant.add(paths[bound]);
            List<byte[]> longer = new ArrayList<>(prefixes.size() * bounds.points.size());
            for (byte[] prefix : prefixes) {
                bounds.points.forEach(point -> longer.add(Bytes.join(prefix, point)));
            }
            prefixes = longer;
        }
        if (sparse && !neverNull) {
            return null;
        }
        int direction = onePoint && !anyMultikey && !unordered ? direction(orderBy, constant, bound) : 0;
        if (direction == 0 && bound == 0 && range == null) {
            return null;
        }
        byte[] low = range == null || range.low == null ? new byte[0] : range.low;
        byte[] high = range == null || range.high == null ? new byte[] {(byte) 0xff} : range.high;
        boolean down = direction < 0;
        Iterator<NavigableMap<byte[], Integer>> ranges = prefixes.stream().map(prefix -> {
            byte[] from = Bytes.join(prefix, low);
            byte[] to = Bytes.join(prefix, high);
            NavigableMap<byte[], Integer> part = Arrays.compareUnsigned(from, to) < 0
                ? tree.subMap(from, true, to, false) : new TreeMap<>();
            return down ? part.descendingMap() : part;
        }).iterator();
        return new Plan(direction != 0, query.without(exact), ranges, anyMultikey || !onePoint);
    }

    /** 1 or -1 when going up or down in this index is the order that is asked for, 0 when neither is. */
    private int direction(Document orderBy, Set<String> constant, int next) {
        if (orderBy == null || orderBy.isEmpty()) {
            return 0;
        }
        int direction = 0;
        for (Map.Entry<String, Object> entry : orderBy.entrySet()) {
            if (!(entry.getValue() instanceof Number)) {
                return 0;
            }
            if (constant.contains(entry.getKey())) {
                continue;
            }
            int way = ((Number) entry.getValue()).intValue() > 0 ? 1 : -1;
            if (next >= paths.length || !paths[next++].equals(entry.getKey()) || direction == -way) {
                return 0;
            }
            direction = way;
        }
        return direction == 0 ? 1 : direction;
    }

    /** What a query asks of one path: single values, or a range whose ends are inside; always rather too much. */
    private static final class Bounds {
        List<byte[]> points;
        byte[] low;
        byte[] high;
        boolean neverNull = true;
    }

    /** Conditions of a query that all must hold, by path. */
    static final class Conditions {
        private final Map<String, List<Object>> byPath = new HashMap<>();

        private final Document query;

        Conditions(Document query) {
            this.query = query;
            collect(query);
        }

        /** Whether equality or one $in is all that is asked of a path; the matcher would compare each with each. */
        boolean isExact(String path) {
            Object condition = query.get(path);
            return byPath.get(path).size() == 1 && query.containsKey(path)
                && (!isOperators(condition) || ((Document) condition).size() == 1);
        }

        Document without(Set<String> paths) {
            if (paths.isEmpty()) {
                return query;
            }
            Document rest = query.clone();
            paths.forEach(rest::remove);
            return rest;
        }

        private void collect(Document query) {
            for (Map.Entry<String, Object> entry : query.entrySet()) {
                if (entry.getKey().equals("$and") && entry.getValue() instanceof Collection) {
                    for (Object part : (Collection<?>) entry.getValue()) {
                        if (part instanceof Document) {
                            collect((Document) part);
                        }
                    }
                } else if (!entry.getKey().startsWith("$")) {
                    byPath.computeIfAbsent(entry.getKey(), path -> new ArrayList<>(1)).add(entry.getValue());
                }
            }
        }

        boolean isEmpty() {
            return byPath.isEmpty();
        }

        /** Values of which one must be there, or null. */
        private List<Object> points(Object condition) {
            if (!isOperators(condition)) {
                return Bytes.isPoint(condition, true) ? java.util.Collections.singletonList(condition) : null;
            }
            Document operators = (Document) condition;
            if (operators.containsKey("$eq") && Bytes.isPoint(operators.get("$eq"), true)) {
                return java.util.Collections.singletonList(operators.get("$eq"));
            }
            Object in = operators.get("$in");
            if (in instanceof Collection && ((Collection<?>) in).stream().allMatch(one -> Bytes.isPoint(one, false))) {
                return new ArrayList<>((Collection<?>) in);
            }
            return null;
        }

        private static boolean isOperators(Object condition) {
            return condition instanceof Document && !((Document) condition).isEmpty()
                && ((Document) condition).keySet().iterator().next().startsWith("$");
        }

        Bounds bounds(String path, boolean multikey) {
            Bounds bounds = new Bounds();
            List<Object> fewest = null;
            for (Object condition : byPath.getOrDefault(path, List.of())) {
                List<Object> points = points(condition);
                if (points != null && (fewest == null || points.size() < fewest.size())) {
                    fewest = points;
                }
            }
            if (fewest != null) {
                bounds.points = new ArrayList<>(fewest.size());
                for (Object point : fewest) {
                    Bytes out = new Bytes();
                    out.value(point);
                    bounds.points.add(out.toByteArray());
                    bounds.neverNull &= point != null;
                }
                return bounds;
            }
            int kind = -1;
            for (Object condition : byPath.getOrDefault(path, List.of())) {
                if (!isOperators(condition)) {
                    continue;
                }
                for (Map.Entry<String, Object> entry : ((Document) condition).entrySet()) {
                    String operator = entry.getKey();
                    boolean up = operator.equals("$gt") || operator.equals("$gte");
                    boolean down = operator.equals("$lt") || operator.equals("$lte");
                    if ((!up && !down) || !Bytes.hasRange(entry.getValue())) {
                        continue;
                    }
                    byte[] value = Bytes.of(entry.getValue());
                    if (kind == -1) {
                        kind = value[0];
                    } else if (kind != value[0] || multikey) {
                        // with arrays, one element may be above and another one below
                        continue;
                    }
                    if (up && (bounds.low == null || Arrays.compareUnsigned(value, bounds.low) > 0)) {
                        bounds.low = value;
                    } else if (down) {
                        byte[] after = Bytes.join(value, new byte[] {(byte) 0xff});
                        if (bounds.high == null || Arrays.compareUnsigned(after, bounds.high) < 0) {
                            bounds.high = after;
                        }
                    }
                }
            }
            if (kind == -1) {
                return null;
            }
            if (bounds.low == null) {
                bounds.low = new byte[] {(byte) kind};
            }
            if (bounds.high == null) {
                bounds.high = new byte[] {(byte) (kind + 1)};
            }
            return bounds;
        }

        /** Whether a document that matches must match the filter as well; no when in doubt. */
        boolean implies(Document filter, DefaultQueryMatcher matcher) {
            for (Map.Entry<String, Object> entry : filter.entrySet()) {
                if (entry.getKey().equals("$and")) {
                    for (Object part : (Collection<?>) entry.getValue()) {
                        if (!implies((Document) part, matcher)) {
                            return false;
                        }
                    }
                } else if (!implies(entry.getKey(), entry.getValue(), matcher)) {
                    return false;
                }
            }
            return true;
        }

        private boolean implies(String path, Object wanted, DefaultQueryMatcher matcher) {
            for (Object condition : byPath.getOrDefault(path, List.of())) {
                List<Object> points = points(condition);
                if (Utils.nullAwareEquals(condition, wanted)
                    || (points != null && points.stream().allMatch(one -> one != null && matches(wanted, one, matcher)))) {
                    return true;
                }
            }
            if (!isOperators(wanted)) {
                return false;
            }
            for (Map.Entry<String, Object> entry : ((Document) wanted).entrySet()) {
                Bounds bounds = bounds(path, false);
                boolean exists = entry.getKey().equals("$exists") && Utils.isTrue(entry.getValue());
                if (!(exists && bounds != null && bounds.neverNull) && !impliedByRange(path, entry, matcher)) {
                    return false;
                }
            }
            return true;
        }

        private boolean impliedByRange(String path, Map.Entry<String, Object> wanted, DefaultQueryMatcher matcher) {
            for (Object condition : byPath.getOrDefault(path, List.of())) {
                if (isOperators(condition) && wanted.getKey().matches("\\$[gl]te?")) {
                    for (String operator : List.of("$gt", "$gte", "$lt", "$lte")) {
                        Object end = ((Document) condition).get(operator);
                        // $gt 5 implies $gt 5, $gte 5 and everything that 5 itself implies on the same side
                        boolean sameSide = operator.charAt(1) == wanted.getKey().charAt(1);
                        if (end != null && sameSide && (matches(new Document(wanted.getKey(), wanted.getValue()), end, matcher)
                            || (operator.length() == 3 && Utils.nullAwareEquals(end, wanted.getValue())))) {
                            return true;
                        }
                    }
                }
            }
            return false;
        }

        private static boolean matches(Object wanted, Object value, DefaultQueryMatcher matcher) {
            return matcher.matches(new Document("v", value), new Document("v", wanted));
        }
    }

    /** Values as bytes: each begins with its type, none is the beginning of another one. */
    private static final class Bytes extends ByteArrayOutputStream {
        static final Object EMPTY_ARRAY = new Object();

        private static final int MIN = 0x10;
        private static final int EMPTY = 0x14;
        private static final int NOTHING = 0x18;
        private static final int NUMBER = 0x20;
        private static final int STRING = 0x28;
        private static final int DOCUMENT = 0x30;
        private static final int LIST = 0x38;
        private static final int BINARY = 0x40;
        private static final int OBJECT_ID = 0x50;
        private static final int BOOLEAN = 0x58;
        private static final int DATE = 0x60;
        private static final int OTHER = 0x70;
        private static final int MAX = 0x78;

        Bytes() {
            super(40);
        }

        static byte[] of(Object value) {
            Bytes out = new Bytes();
            out.value(value);
            return out.toByteArray();
        }

        static byte[] join(byte[] one, byte[] other) {
            byte[] whole = Arrays.copyOf(one, one.length + other.length);
            System.arraycopy(other, 0, whole, one.length, other.length);
            return whole;
        }

        /** Whether `{field: value}` asks for this value and nothing else; a null inside also matches what is not there. */
        static boolean isPoint(Object value, boolean strict) {
            if (value instanceof Document) {
                Document document = (Document) value;
                return !strict || (!document.isEmpty() && document.entrySet().stream().allMatch(entry ->
                    !entry.getKey().startsWith("$") && entry.getValue() != null && isPoint(entry.getValue(), true)));
            }
            return value == null || hasRange(value) || value instanceof UUID || value instanceof BinData;
        }

        static boolean hasRange(Object value) {
            // what is greater than NaN depends on the type of the other number
            return value instanceof Number && !Double.isNaN(((Number) value).doubleValue()) || value instanceof String || value instanceof Instant
                || value instanceof ObjectId || value instanceof Boolean;
        }

        /** Appends a value; true when the order of its bytes is the order in which values are sorted. */
        boolean value(Object value) {
            if (value == EMPTY_ARRAY) {
                write(EMPTY);
            } else if (value == NULL || Missing.isNullOrMissing(value)) {
                write(NOTHING);
            } else if (value instanceof Number) {
                write(NUMBER);
                return number((Number) value);
            } else if (value instanceof String) {
                write(STRING);
                text((String) value);
            } else if (value instanceof ObjectId) {
                write(OBJECT_ID);
                writeBytes(((ObjectId) value).toByteArray());
            } else if (value instanceof Boolean) {
                write(BOOLEAN);
                write(((Boolean) value) ? 1 : 0);
            } else if (value instanceof Instant) {
                write(DATE);
                eight(((Instant) value).toEpochMilli() ^ Long.MIN_VALUE);
            } else {
                return rare(value);
            }
            return true;
        }

        private boolean rare(Object value) {
            if (value instanceof Document) {
                write(DOCUMENT);
                for (Map.Entry<String, Object> entry : ((Document) value).entrySet()) {
                    write(1);
                    text(entry.getKey());
                    value(entry.getValue());
                }
                write(0);
            } else if (value instanceof Collection) {
                write(LIST);
                for (Object element : (Collection<?>) value) {
                    write(1);
                    value(element);
                }
                write(0);
            } else if (value instanceof BinData) {
                write(BINARY);
                byte[] data = ((BinData) value).getData();
                eight(data.length);
                writeBytes(data);
            } else if (value instanceof UUID) {
                write(BINARY + 1);
                eight(((UUID) value).getMostSignificantBits());
                eight(((UUID) value).getLeastSignificantBits());
            } else if (value instanceof MinKey || value instanceof MaxKey) {
                write(value instanceof MinKey ? MIN : MAX);
            } else {
                write(OTHER);
                text(value.getClass().getSimpleName() + value);
            }
            return false;
        }

        /** As a double, and behind it the exact value where a double has no room for every whole number. */
        private boolean number(Number value) {
            double rounded = value.doubleValue() + 0.0;
            long bits = Double.doubleToLongBits(rounded);
            eight(bits < 0 ? ~bits : bits ^ Long.MIN_VALUE);
            if (Math.abs(rounded) >= 0x1p53) {
                eight((value instanceof Long ? value.longValue() : (long) rounded) ^ Long.MIN_VALUE);
            }
            // the sort compares these in ways of their own
            return !Double.isNaN(rounded) && (value instanceof Integer || value instanceof Long || value instanceof Double);
        }

        private void eight(long value) {
            for (int shift = 56; shift >= 0; shift -= 8) {
                write((int) (value >>> shift));
            }
        }

        /** Every UTF-16 unit for itself, since that is what Java compares, and a zero at the end. */
        private void text(String text) {
            for (int i = 0; i < text.length(); i++) {
                char unit = text.charAt(i);
                if (unit > 1 && unit < 0x80) {
                    write(unit);
                } else if (unit <= 1) {
                    write(1);
                    write(unit + 1);
                } else if (unit < 0x800) {
                    write(0xc0 | unit >> 6);
                    write(0x80 | unit & 0x3f);
                } else {
                    write(0xe0 | unit >> 12);
                    write(0x80 | unit >> 6 & 0x3f);
                    write(0x80 | unit & 0x3f);
                }
            }
            write(0);
        }
    }

    /** What the duplicate keys of the running command were, for the answer; MongoDB tells it, mongo-java-server does not. */
    static final class Problems {
        private static final ThreadLocal<List<Document>> DUPLICATES = ThreadLocal.withInitial(ArrayList::new);

        static void duplicate(List<IndexKey> keys, KeyValue values) {
            Document pattern = new Document();
            Document value = new Document();
            for (int i = 0; i < keys.size(); i++) {
                pattern.put(keys.get(i).getKey(), keys.get(i).isAscending() ? 1 : -1);
                value.put(keys.get(i).getKey(), values.get(i));
            }
            DUPLICATES.get().add(new Document("keyPattern", pattern).append("keyValue", value));
        }

        static List<Document> take() {
            List<Document> taken = new ArrayList<>(DUPLICATES.get());
            DUPLICATES.get().clear();
            return taken;
        }
    }

    /** Sizes in BSON, without encoding it. */
    static final class Sizes {
        static void check(Document document, int code, String codeName, String message) {
            long size = of(document);
            if (size > MAX_DOCUMENT) {
                throw new MongoServerError(code, codeName, message + size + ", max size: " + MAX_DOCUMENT);
            }
        }

        static long of(Object value) {
            if (value instanceof Document) {
                long size = 5;
                for (Map.Entry<String, Object> entry : ((Document) value).entrySet()) {
                    size += 2 + text(entry.getKey()) + of(entry.getValue());
                }
                return size;
            }
            if (value instanceof Collection) {
                long size = 5;
                int i = 0;
                for (Object element : (Collection<?>) value) {
                    size += 2 + (i < 10 ? 1 : Integer.toString(i).length()) + of(element);
                    i++;
                }
                return size;
            }
            if (value instanceof String) {
                return 5 + text((String) value);
            }
            if (value instanceof BinData) {
                return 5 + ((BinData) value).getData().length;
            }
            if (value instanceof BsonRegularExpression) {
                return 2 + text(((BsonRegularExpression) value).getPattern());
            }
            return value == null ? 0 : value instanceof Integer ? 4 : value instanceof Boolean ? 1 : value instanceof ObjectId ? 12 : 8;
        }

        private static long text(String text) {
            long size = text.length();
            for (int i = 0; i < text.length(); i++) {
                char unit = text.charAt(i);
                // two units of a pair make four bytes
                size += unit < 0x80 ? 0 : unit < 0x800 || Character.isSurrogate(unit) ? 1 : 2;
            }
            return size;
        }
    }
}

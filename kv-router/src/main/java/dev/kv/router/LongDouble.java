package dev.kv.router;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.math.RoundingMode;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;

/**
 * The numbers of {@link Command.AddDecimal}: those that have 64 binary digits, as the {@code long double} of C on x86 has, so
 * that sums and their texts are the ones of Redis.
 */
public final class LongDouble {
    private static final int PRECISION_BITS = 64;

    /** Numbers from 2 to the power of this on are too large. */
    private static final int EXPONENT_MAX = 16384;

    /** Decimal exponents beyond which a number is too large, or not to be told from zero. */
    private static final int DECIMAL_EXPONENT_MAX = 4933;

    private static final int DECIMAL_EXPONENT_MIN = -4950;

    /** 2^-16446: numbers up to here are not to be told from zero, which is half of the least one. */
    private static final BigDecimal ZERO_MAX =
            new BigDecimal(BigInteger.valueOf(5).pow(16446), 16446);

    private static final int TEXT_MAX_BYTES = 5 * 1024;

    /** How many digits stand behind the point at most. */
    private static final int DECIMALS = 17;

    private static final Set<String> INFINITIES = Set.of("inf", "+inf", "-inf", "infinity", "+infinity", "-infinity");
    private static final int INFINITY_MAX_BYTES = 9;

    private LongDouble() {}

    /** The number of a text such as {@code -1.5e3}; empty if it is none, too large or too small. */
    public static Optional<BigDecimal> parse(Bytes text) {
        if (text.isEmpty() || text.size() > TEXT_MAX_BYTES) {
            return Optional.empty();
        }
        BigDecimal number;
        try {
            number = new BigDecimal(new String(text.array(), ISO_8859_1));
        } catch (NumberFormatException e) {
            return Optional.empty();
        }
        return number.signum() == 0 ? Optional.of(BigDecimal.ZERO) : inRange(number);
    }

    /** Whether the text means infinity, which is a number of C and none of {@link #parse}. */
    public static boolean isInfinity(Bytes text) {
        return text.size() <= INFINITY_MAX_BYTES
                && INFINITIES.contains(text.text().toLowerCase(Locale.ROOT));
    }

    /** The sum; empty if it is too large. */
    public static Optional<BigDecimal> add(BigDecimal a, BigDecimal b) {
        Optional<BigDecimal> one = a.signum() == 0 ? Optional.of(a) : inRange(a);
        Optional<BigDecimal> other = b.signum() == 0 ? Optional.of(b) : inRange(b);
        return one.flatMap(x -> other.map(x::add)).flatMap(LongDouble::rounded);
    }

    private static Optional<BigDecimal> inRange(BigDecimal number) {
        // In long: the scale of a text can be near the limits of an int.
        long exponent = (long) number.precision() - number.scale();
        boolean isZero = exponent < DECIMAL_EXPONENT_MIN
                || (exponent == DECIMAL_EXPONENT_MIN && number.abs().compareTo(ZERO_MAX) <= 0);
        return isZero || exponent > DECIMAL_EXPONENT_MAX ? Optional.empty() : rounded(number);
    }

    /** The nearest number with so many binary digits, that with an even last one between two. */
    private static Optional<BigDecimal> rounded(BigDecimal number) {
        BigInteger numerator = number.unscaledValue().abs();
        BigInteger denominator = BigInteger.ONE;
        if (number.scale() > 0) {
            denominator = BigInteger.TEN.pow(number.scale());
        } else {
            numerator = numerator.multiply(BigInteger.TEN.pow(-number.scale()));
        }
        if (numerator.signum() == 0) {
            return Optional.of(BigDecimal.ZERO);
        }
        // Two digits more than needed, and what is left over, tell which way to round.
        int shift = PRECISION_BITS + 2 - (numerator.bitLength() - denominator.bitLength());
        BigInteger[] quotient = shift >= 0
                ? numerator.shiftLeft(shift).divideAndRemainder(denominator)
                : numerator.divideAndRemainder(denominator.shiftLeft(-shift));
        BigInteger digits = quotient[0];
        int excess = digits.bitLength() - PRECISION_BITS;
        BigInteger kept = digits.shiftRight(excess);
        BigInteger left = digits.subtract(kept.shiftLeft(excess));
        int half = left.compareTo(BigInteger.ONE.shiftLeft(excess - 1));
        boolean up = half > 0 || (half == 0 && (quotient[1].signum() != 0 || kept.testBit(0)));
        BigInteger mantissa = up ? kept.add(BigInteger.ONE) : kept;
        int exponent = excess - shift;
        if (mantissa.bitLength() + exponent > EXPONENT_MAX) {
            return Optional.empty();
        }
        BigDecimal value = exponent >= 0
                ? new BigDecimal(mantissa.shiftLeft(exponent))
                : new BigDecimal(mantissa.multiply(BigInteger.valueOf(5).pow(-exponent)), -exponent);
        return Optional.of(number.signum() < 0 ? value.negate() : value);
    }

    /** The number as a client reads it: plain, with at most 17 digits behind the point and no zeros at its end. */
    public static Bytes text(BigDecimal number) {
        BigDecimal plain = number.setScale(DECIMALS, RoundingMode.HALF_EVEN).stripTrailingZeros();
        return Bytes.of(plain.toPlainString());
    }
}
